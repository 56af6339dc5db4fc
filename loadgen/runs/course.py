"""The state of a run so far: its last snapshot, its SLOs, its faults, and its verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from loadgen.judging.check import NOTE
from loadgen.judging.ending import ending_of
from loadgen.judging.slo_judge import Judge
from loadgen.judging.validity import Validity, default_checks
from loadgen.judging.verdict import decide
from loadgen.node.statistics.exits import AskedExit, RaisedWhileQuitting
from loadgen.results.timeline import Timeline
from loadgen.results.writer import Outcome
from loadgen.shared.snapshot import Snapshot
from loadgen.shared.text import clock, plain_line
from loadgen.shared.totals import Totals
from loadgen.specification.run import RunSpecification

RUN_FAULT = "run"
UNMATCHED_SECONDS = 3.0
"""After this long under load an SLO that speaks of no request is said: its name may be misspelt."""


LOGS_NAMED = 2


@dataclass
class Course:
    """What a run has shown so far.

    `faults` are machines and processes that failed: the verdict is error. `invalid` are reasons
    beside those that the snapshots give. `load_seconds` is how long the load is to last,
    None where a load shape or somebody in the web UI decides it; `exit_code` is what the locustfile
    asked for, and `asked_exits` what each process's log says of that at its end. `missing` names
    hosts that the run was allowed to begin without. `totals` are those of the last snapshot, over
    all names.
    """

    judge: Judge
    validity: Validity
    timeline: Timeline = field(default_factory=Timeline)
    last: Snapshot | None = None
    totals: Totals = field(default_factory=lambda: Totals(0.0))
    workers_seen: int = 0
    faults: dict[str, str] = field(default_factory=dict)
    invalid: dict[str, str] = field(default_factory=dict)
    warm: bool = True
    allow_no_requests: bool = False
    load_seconds: float | None = None
    exit_code: int | None = None
    missing: tuple[str, ...] = ()
    asked_exits: tuple[AskedExit, ...] = ()
    _announced: set[str] = field(default_factory=set)
    _looked: bool = False

    @classmethod
    def of(cls, run: RunSpecification, release: str, locust_version: str) -> "Course":
        """Begin the course of a run that is measured from its start; see `warm`."""
        checks = default_checks(release, locust_version, run.arrival_rate)
        judge = Judge(run.slos, run.request_tags)
        return cls(judge, Validity(checks), allow_no_requests=run.allow_no_requests)

    def take(self, snapshot: Snapshot) -> None:
        """Learn from one more snapshot."""
        if self.last is not None and self.last.test_started_at:
            if not snapshot.test_started_at:
                return
            self._note_reset(self.last, snapshot)
        self.note_exit_code(snapshot)
        self.warm = self.warm or snapshot.measured_from is not None
        self.last = snapshot
        self.totals = Totals.over_all(snapshot)
        self.workers_seen = max(self.workers_seen, len(snapshot.workers))
        self.judge.add(snapshot, self.totals)
        self.validity.add(snapshot)
        self.timeline.add(snapshot, self.totals)

    @property
    def has_load(self) -> bool:
        """Whether Locust has started the test."""
        return bool(self.last and self.last.test_started_at)

    @property
    def why_no_load(self) -> str:
        """Say what kept Locust from starting the test; empty while it still may."""
        last = self.last
        if last is None or last.test_started_at:
            return ""
        raised = [one.error for one in last.exceptions if one.is_outside_tasks]
        if not raised or len(last.workers) < last.workers_expected:
            return ""
        return f"Locust started no test: {raised[-1]}; see the logs under hosts/"

    @property
    def is_complete(self) -> bool:
        """Whether the last statistics have arrived."""
        return bool(self.last and self.last.final)

    def _note_reset(self, before: Snapshot, snapshot: Snapshot) -> None:
        """Tell the reset that ends a warm-up from one that forgets a part of the run."""
        if snapshot.epoch != before.epoch and before.measured_from is not None:
            self.invalid["reset"] = (
                f"at {clock(before.time)} the statistics were reset during the run, so they don't "
                "contain the requests before that time"
            )

    def take_parting(self, snapshot: Snapshot) -> None:
        """Learn from what the master says while it ends: its listeners still run."""
        self.note_exit_code(snapshot)
        self.validity.add_parting(snapshot)

    def note_exit_code(self, snapshot: Snapshot) -> None:
        """Learn what exit code the locustfile asks for; it may do so when all else is over."""
        if snapshot.exit_code is not None:
            self.exit_code = snapshot.exit_code

    def note_raised(self, raised: Sequence[RaisedWhileQuitting]) -> None:
        """Note what listeners of workers raised when nobody could be told any more."""
        if raised:
            logs = " and ".join(one.log for one in raised[:LOGS_NAMED])
            self.invalid["exceptions"] = (
                f"while {len(raised)} of the workers quit, a listener of the locustfile raised "
                f"{plain_line(raised[0].text)}; see {logs}"
            )

    def note_faults(self, faults: Mapping[str, str]) -> None:
        """Note what ended by itself; without a worker or the exporter no run is to be believed."""
        for name, sentence in faults.items():
            if name in ("master", "target"):
                self.faults.setdefault(name, sentence)
            else:
                self.invalid.setdefault(name, f"{name} {sentence}")

    def news(self) -> list[str]:
        """Return, once each, the reasons why the run will be invalid."""
        found = {reason.kind: reason.sentence for reason in self.validity.reasons()}
        fresh = {k: s for k, s in (self.invalid | found).items() if k not in self._announced}
        self._announced.update(fresh)
        return list(fresh.values())

    def unmatched(self) -> list[str]:
        """Return, once, a sentence for each SLO that matches no request after some time."""
        last = self.last
        if self._looked or last is None or last.test_started_at is None:
            return []
        if last.time - last.test_started_at < UNMATCHED_SECONDS or not self.totals.requests:
            return []
        self._looked = True
        return self.judge.unmatched(last.entries)

    def conclude(
        self,
        interrupted: bool,
        stop_was_ours: bool,
        workers_expected: int,
        versions: Mapping[str, str],
    ) -> Outcome:
        """Return the run's outcome; `interrupted` if its own process was asked to end it.

        `stop_was_ours` when that process, or the one that took over, asked the master to stop.
        """
        ending = ending_of(self.last, self.load_seconds)
        by_others = ending is not None and ending.is_interruption and not stop_was_ours
        said = ending.sentence("interrupted" if interrupted else "") if ending else ""
        if stop_was_ours and not interrupted:
            said = ""
        interrupted = interrupted or by_others
        if not self.faults and not interrupted:
            self._note_what_was_not_measured()
        faults = [
            sentence if name == RUN_FAULT else f"{name} {sentence}"
            for name, sentence in self.faults.items()
        ]
        reasons, notes = self.validity.reasons(), self.validity.notes()
        ends = [*([said] if said else []), *(f"the run was without {one}" for one in self.missing)]
        asked = self._exit_code_asked()
        invalid = [reason.sentence for reason in reasons] + [*self.invalid.values()]
        slos = self.judge.results()
        judged = slos
        if self.allow_no_requests and not self.totals.requests:
            judged = tuple(one for one in slos if one.held is not None)
        return Outcome(
            verdict=decide(
                interrupted=interrupted,
                faults=faults,
                invalid=invalid,
                slos=judged,
                exit_code=self._code_asked,
            ),
            reasons=(*faults, *invalid, *asked, *ends, *(note.sentence for note in notes)),
            reason_kinds=("fault",) * len(faults)
            + (*(reason.kind for reason in reasons), *self.invalid)
            + ("exit_code",) * len(asked)
            + (NOTE,) * (len(ends) + len(notes)),
            slos=slos,
            last=self.last,
            timeline=self.timeline,
            workers_expected=workers_expected,
            workers_seen=self.workers_seen,
            versions=versions,
            ended_at=datetime.now(UTC),
        )

    def _note_what_was_not_measured(self) -> None:
        if not self.totals.requests and not self.allow_no_requests:
            self.invalid["requests"] = (
                "Locust counted no request, so nothing was measured. Fire Locust's `request` "
                "event in the locustfile, or allow such a run with --allow-no-requests"
            )
        if not self.warm:
            self.invalid["warm_up"] = (
                "the run ended before its warm-up was over, so nothing was measured"
            )

    @property
    def _code_asked(self) -> int:
        return self.exit_code or max((one.code for one in self.asked_exits), default=0)

    def _exit_code_asked(self) -> list[str]:
        code = self._code_asked
        if not code:
            return []
        logs = [one.log for one in self.asked_exits if one.code == code]
        where = f"; see {' and '.join(logs[:LOGS_NAMED])}" if logs else ""
        return [
            f"the locustfile asked for exit code {code} (environment.process_exit_code, "
            f"or its own call of an exit function), so the run has not passed{where}"
        ]
