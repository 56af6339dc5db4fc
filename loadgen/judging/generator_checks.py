"""Checks of the generators: their CPU, stalls, clocks, files and resources."""

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from loadgen.judging.check import Reason
from loadgen.shared.snapshot import ErrorCount, Snapshot
from loadgen.shared.text import clock

CPU_PERCENT_MAX = 90.0


CPU_SECONDS = 3.0
"""A second above the limit, as at a spawn, delays few requests; three in a row delay many."""


CLOCK_OFFSET_SECONDS_MAX = 0.5


CLOCK_REPORTS = 5


EXHAUSTED = {
    "Cannot assign requested address": (
        "local ports",
        "widen net.ipv4.ip_local_port_range, keep connections open, or add generators",
    ),
    "Too many open files": ("file descriptors", "raise the limit of open files (ulimit -n)"),
}


@dataclass
class _Spell:
    """A time above a limit at one place."""

    since: float
    until: float
    highest: float

    @property
    def seconds(self) -> float:
        return self.until - self.since


@dataclass
class GeneratorCpu:
    """A worker or the master above 90 % of its core for three seconds in a row."""

    _open: dict[str, _Spell] = field(default_factory=dict)
    _longest: dict[str, _Spell] = field(default_factory=dict)
    _time: float = 0.0

    def add(self, snapshot: Snapshot) -> None:
        """Take the CPU of every process."""
        earlier = self._time or snapshot.time - 1
        for worker in snapshot.workers:
            # A worker that has just joined is busy starting, and its users don't wait yet.
            percent = worker.cpu_percent if worker.users else 0.0
            self._see(f"worker {worker.id}", percent, earlier, snapshot.time)
        self._see("the master", snapshot.master_cpu_percent, earlier, snapshot.time)
        self._time = snapshot.time

    def _see(self, place: str, percent: float, earlier: float, now: float) -> None:
        if percent <= CPU_PERCENT_MAX:
            self._open.pop(place, None)
            return
        spell = self._open.setdefault(place, _Spell(earlier, now, percent))
        spell.until, spell.highest = now, max(spell.highest, percent)
        longest = self._longest.get(place)
        if longest is None or spell.seconds > longest.seconds:
            self._longest[place] = spell

    def reasons(self) -> list[Reason]:
        """Return the longest spell of each process that had one."""
        return [
            Reason(
                "generator_cpu",
                spell.since,
                f"from {clock(spell.since)} {place} used {spell.highest:.0f} % of its core for "
                f"{spell.seconds:.0f} s. Above {CPU_PERCENT_MAX:.0f} % the response times contain "
                "the generator's own delay: add workers, lower the load, or end other programs "
                "that need the cores",
            )
            for place, spell in self._longest.items()
            if spell.seconds >= CPU_SECONDS - 0.5
        ]


@dataclass
class ClockOffset:
    """A worker's clock apart from the master's; request rates by second are then wrong.

    Transit only ever makes an offset smaller, so the largest of the last few is the nearest to
    the truth.
    """

    _recent: dict[str, deque[float]] = field(
        default_factory=lambda: defaultdict(lambda: deque(maxlen=CLOCK_REPORTS))
    )
    _worst: dict[str, tuple[float, float]] = field(default_factory=dict)

    def add(self, snapshot: Snapshot) -> None:
        """Take each worker's latest offset."""
        for worker in snapshot.workers:
            if worker.clock_offset_seconds is None:
                continue
            recent = self._recent[worker.id]
            recent.append(worker.clock_offset_seconds)
            offset = max(recent)
            worst = self._worst.get(worker.id, (0.0, 0.0))
            if len(recent) == CLOCK_REPORTS and abs(offset) > abs(worst[0]):
                self._worst[worker.id] = (offset, snapshot.time)

    def reasons(self) -> list[Reason]:
        """Return each worker whose clock was apart."""
        return [
            Reason(
                "clock_offset",
                at,
                f"at {clock(at)} the clock of worker {worker} was {abs(offset):.3g} s "
                f"{'ahead of' if offset > 0 else 'behind'} the master's, more than the "
                f"{CLOCK_OFFSET_SECONDS_MAX:g} s allowed: synchronise the hosts' clocks (chrony)",
            )
            for worker, (offset, at) in self._worst.items()
            if abs(offset) > CLOCK_OFFSET_SECONDS_MAX
        ]


@dataclass
class Mismatch:
    """Workers that run another release or another Locust than the rest, or than is asked for."""

    release: str | None = None
    locust_version: str | None = None
    _found: dict[str, Reason] = field(default_factory=dict)

    def add(self, snapshot: Snapshot) -> None:
        """Compare every worker that has reported with what is asked for, else with the first."""
        for worker in (one for one in snapshot.workers if one.release):
            self.release = self.release or worker.release
            self.locust_version = self.locust_version or worker.locust_version
            pairs = (
                ("release", worker.release[:12], self.release[:12]),
                ("Locust", worker.locust_version, self.locust_version),
            )
            for what, has, needs in pairs:
                if has != needs and worker.id not in self._found:
                    sentence = (
                        f"at {clock(snapshot.time)} worker {worker.id} ran {what} {has}, but "
                        f"every node has to run {needs}: deploy again"
                    )
                    self._found[worker.id] = Reason("mismatch", snapshot.time, sentence)

    def reasons(self) -> list[Reason]:
        """Return one reason a worker."""
        return list(self._found.values())


@dataclass
class Exhausted:
    """Requests that failed on the generator's side, for want of ports or descriptors."""

    _first: dict[str, float] = field(default_factory=dict)
    _errors: list[ErrorCount] = field(default_factory=list)

    def add(self, snapshot: Snapshot) -> None:
        """Look at the errors' texts."""
        self._errors = snapshot.errors
        for text in EXHAUSTED:
            if any(text in error.error for error in snapshot.errors):
                self._first.setdefault(text, snapshot.time)

    def reasons(self) -> list[Reason]:
        """Return what ran out."""
        reasons = []
        for text, at in self._first.items():
            what, remedy = EXHAUSTED[text]
            count = sum(e.occurrences for e in self._errors if text in e.error)
            names = sorted({f"{e.method} {e.name}" for e in self._errors if text in e.error})
            sentence = (
                f"from {clock(at)} a generator ran out of {what}: {count:,} requests "
                f"({_some(names)}) failed before they reached the target; {remedy}"
            )
            reasons.append(Reason("exhausted", at, sentence))
        return reasons


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


STALL_SECONDS_MAX = 1.0


JUMP_SECONDS_MAX = 0.5


@dataclass
class Stalls:
    """A worker whose event loop stood still: every response that came meanwhile looks late."""

    _longest: dict[str, tuple[float, float]] = field(default_factory=dict)

    def add(self, snapshot: Snapshot) -> None:
        """Keep each worker's longest stall."""
        for worker in snapshot.workers:
            if worker.stalled_seconds > self._longest.get(worker.id, (0.0, 0.0))[0]:
                self._longest[worker.id] = (worker.stalled_seconds, snapshot.time)

    def reasons(self) -> list[Reason]:
        """Return each worker that stood still for too long."""
        return [
            Reason(
                "generator_stall",
                at,
                f"until {clock(at)} the event loop of worker {worker} was blocked for "
                f"{seconds:.1f} s, but at most {STALL_SECONDS_MAX:g} s are allowed. Response times "
                "contain this delay. Find the code in the locustfile that blocks, or what kept "
                "the machine busy or paused it",
            )
            for worker, (seconds, at) in self._longest.items()
            if seconds > STALL_SECONDS_MAX
        ]


@dataclass
class ClockJumps:
    """The master's clock was set under load: rates over it are wrong, if all clocks went along."""

    _before: Snapshot | None = None
    _jumps: list[tuple[float, float]] = field(default_factory=list)

    def add(self, snapshot: Snapshot) -> None:
        """Hold what the clock went on against what a clock that nobody sets did."""
        before, self._before = self._before, snapshot
        if before is None or before.monotonic_seconds is None or snapshot.monotonic_seconds is None:
            return
        passed = snapshot.monotonic_seconds - before.monotonic_seconds
        jump = snapshot.time - before.time - passed
        if passed >= 0 and abs(jump) > JUMP_SECONDS_MAX:
            self._jumps.append((snapshot.time, jump))

    def reasons(self) -> list[Reason]:
        """Return each jump."""
        return [
            Reason(
                "clock_jump",
                at,
                f"at {clock(at)} the master's clock jumped by {jump:+.1f} s within a second, but "
                f"at most {JUMP_SECONDS_MAX:g} s are allowed, so the throughput and times of this "
                "run are wrong. Synchronise the clock before a run (chrony)",
            )
            for at, jump in self._jumps
        ]
