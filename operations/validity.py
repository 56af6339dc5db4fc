"""Whether a run's measurement can be trusted, from the master's snapshots alone.

Each *check* takes every snapshot in order and returns reasons: when, where and how much. One
reason makes the run invalid. Nothing here reads a clock.
"""

import math
from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from exporter.snapshot import ErrorCount, Snapshot
from operations.losses import ClockJumps, CutRequests, Exceptions, LostSamples, LostWorkers, Stalls
from operations.reason import Reason
from operations.slo import clock

CPU_PERCENT_MAX = 90.0
CPU_SECONDS = 3.0
"""A second above the limit, as at a spawn, delays few requests; three in a row delay many."""
CLOCK_OFFSET_SECONDS_MAX = 0.5
CLOCK_REPORTS = 5
ARRIVAL_RATIO_MIN = 0.95
ARRIVAL_METHOD = "ARRIVAL"
NOT_SENT = "not sent"
EXHAUSTED = {
    "Cannot assign requested address": (
        "local ports",
        "widen net.ipv4.ip_local_port_range, keep connections open, or add generators",
    ),
    "Too many open files": ("file descriptors", "raise the limit of open files (ulimit -n)"),
}


class Check(Protocol):
    """One way in which a measurement goes wrong."""

    def add(self, snapshot: Snapshot) -> None:
        """Take the next snapshot."""
        ...

    def reasons(self) -> list[Reason]:
        """Return what was found so far."""
        ...


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
            # One that has just joined is busy starting, and keeps no user waiting yet.
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
                f"from {clock(spell.since)} {place} needed {spell.highest:.0f} % of its core "
                f"for {spell.seconds:.0f} s, but above {CPU_PERCENT_MAX:.0f} % response times are "
                "the generator's own: add workers or lower the load",
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


@dataclass
class ArrivalRate:
    """An open-model run in which fewer requests were sent than were due.

    Rows of the method ARRIVAL (see `locustfiles/shapes/arrival.py`) count every due arrival, also
    one that was not sent or not finished; without such rows every request counts as an arrival.
    """

    rate_per_second: float
    _first_dropped: float | None = None
    _load_ended_at: float | None = None
    _last: Snapshot | None = None

    def add(self, snapshot: Snapshot) -> None:
        """Note when arrivals were first dropped, and when the load ended."""
        self._last = snapshot
        if self._first_dropped is None and _dropped(snapshot):
            self._first_dropped = snapshot.time
        if snapshot.state not in ("spawning", "running") and self._load_ended_at is None:
            self._load_ended_at = snapshot.time

    def reasons(self) -> list[Reason]:
        """Return dropped arrivals, and at the end a rate that was not reached."""
        last = self._last
        if last is None or last.test_started_at is None:
            return []
        reasons = []
        if self._first_dropped is not None:
            sentence = (
                f"from {clock(self._first_dropped)} {_dropped(last):,} arrivals were not sent, as "
                "too many were in flight: add workers, or raise --arrival-max-in-flight"
            )
            reasons.append(Reason("arrival_rate", self._first_dropped, sentence))
        seconds = (last.test_stopped_at or self._load_ended_at or last.time) - last.test_started_at
        sent = _arrivals(last) - _dropped(last)
        if last.final and sent < self._fewest(seconds):
            sentence = (
                f"in the {seconds:.0f} s to {clock(last.test_started_at + seconds)} {sent:,} "
                f"requests were sent, {sent / seconds:.4g}/s instead of "
                f"{self.rate_per_second:.4g}/s: add workers or generators"
            )
            reasons.append(Reason("arrival_rate", last.time, sentence))
        return reasons

    def _fewest(self, seconds: float) -> float:
        """Return how many are enough: 95 %, or what chance leaves of random arrivals."""
        due = self.rate_per_second * seconds
        # The first second goes to starting users; four standard deviations are chance.
        return min(ARRIVAL_RATIO_MIN * due, due - 4 * math.sqrt(due)) - self.rate_per_second


def _arrivals(snapshot: Snapshot) -> int:
    rows = [entry.requests for entry in snapshot.entries if entry.method == ARRIVAL_METHOD]
    return sum(rows) if rows else sum(entry.requests for entry in snapshot.entries)


def _dropped(snapshot: Snapshot) -> int:
    return sum(
        error.occurrences
        for error in snapshot.errors
        if error.method == ARRIVAL_METHOD and NOT_SENT in error.error
    )


class Validity:
    """Every check of a run at once. An epoch that a warm-up ended keeps what was found before."""

    def __init__(self, checks: Sequence[Check] | None = None) -> None:
        self._checks = default_checks() if checks is None else list(checks)

    def add(self, snapshot: Snapshot) -> None:
        """Take the next snapshot; idle time is not judged."""
        if snapshot.test_started_at is not None:
            for check in self._checks:
                check.add(snapshot)

    def reasons(self) -> list[Reason]:
        """Return what was found so far, in order of time."""
        found = [reason for check in self._checks for reason in check.reasons()]
        return sorted(found, key=lambda reason: reason.at)


def default_checks(
    release: str | None = None,
    locust_version: str | None = None,
    arrival_rate_per_second: float | None = None,
) -> list[Check]:
    """Return the checks of a run; None for what is not known or not asked for."""
    checks: list[Check] = [
        GeneratorCpu(),
        LostWorkers(),
        LostSamples(),
        CutRequests(),
        Exceptions(),
        Stalls(),
        ClockJumps(),
        ClockOffset(),
        Mismatch(release, locust_version),
        Exhausted(),
    ]
    if arrival_rate_per_second is not None:
        checks.append(ArrivalRate(arrival_rate_per_second))
    return checks


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:3])
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"
