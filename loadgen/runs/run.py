"""The life of a run: check, start, load, stop, collect, judge.

Everything is bounded in time, and every way out goes through `finish` or `kill`, so that nothing
stays behind and what was measured is kept.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from loadgen.cluster.base import Cluster
from loadgen.judging.slo_judge import Judge
from loadgen.judging.validity import Validity, default_checks
from loadgen.judging.verdict import decide
from loadgen.results import archive
from loadgen.results.summary import Summary
from loadgen.results.timeline import Timeline
from loadgen.results.writer import Outcome, write_results
from loadgen.runs.progress import Progress
from loadgen.shared.errors import OperationError, UsageError
from loadgen.shared.files import hold
from loadgen.shared.interruption import Interruption
from loadgen.shared.snapshot import Snapshot
from loadgen.shared.text import clock
from loadgen.specification.plan import Plan
from loadgen.specification.run import RunSpecification

READY_SECONDS = 60.0
STOP_GRACE_SECONDS = 75.0
OVERTIME_SECONDS = 30.0
TARGET_START_SECONDS = 15.0
POLL_SECONDS = 0.2


@dataclass
class Course:
    """What a run has shown so far.

    `faults` are machines and processes that failed: the verdict is error. `invalid` are reasons
    beside those that the snapshots give.
    """

    judge: Judge
    validity: Validity
    timeline: Timeline = field(default_factory=Timeline)
    last: Snapshot | None = None
    workers_seen: int = 0
    faults: dict[str, str] = field(default_factory=dict)
    invalid: dict[str, str] = field(default_factory=dict)
    announced: set[str] = field(default_factory=set)
    warm: bool = True
    measured_from: float | None = None

    def take(self, snapshot: Snapshot) -> None:
        """Learn from one more snapshot."""
        if self.last is not None and self.last.test_started_at and not snapshot.test_started_at:
            return
        if self.last is not None and self.last.test_started_at:
            self._note_reset(self.last, snapshot)
        if self.measured_from is not None:
            snapshot = replace(snapshot, test_started_at=self.measured_from)
        self.last = snapshot
        self.workers_seen = max(self.workers_seen, len(snapshot.workers))
        self.judge.add(snapshot)
        self.validity.add(snapshot)
        self.timeline.add(snapshot)

    @property
    def seconds(self) -> float:
        """Return how long the load has run, by the master's clock."""
        if self.last is None or self.last.test_started_at is None:
            return 0.0
        return self.last.time - self.last.test_started_at

    def _note_reset(self, before: Snapshot, snapshot: Snapshot) -> None:
        """Tell the reset that ends a warm-up from one that forgets a part of the run."""
        if snapshot.epoch == before.epoch:
            return
        self.measured_from = before.time
        if self.warm:
            self.invalid["reset"] = (
                f"at {clock(before.time)} the statistics were reset during the run, so what came "
                "before is not in them"
            )
        self.warm = True


def execute(
    specification: RunSpecification,
    cluster: Cluster,
    results: Path,
    interruption: Interruption,
    progress: Progress,
    versions: Mapping[str, str],
    run_id: str | None = None,
) -> tuple[Summary, Path]:
    """Run one load test from checks to verdict; return its summary and directory.

    `run_id` None makes one of the time and the locustfile's name.
    Raises UsageError when the request is wrong (nothing was started, no directory is left), and
    OperationError when the target doesn't answer.
    """
    try:
        with hold(results):
            run_id = run_id or archive.make_run_id(specification.locustfiles[0])
            plan = _plan(specification, cluster, results, progress, run_id)
            return _carry_out(plan, cluster, interruption, progress, versions)
    finally:
        progress.close()
        cluster.kill()


def take_over(
    plan: Plan,
    cluster: Cluster,
    interruption: Interruption,
    progress: Progress,
    versions: Mapping[str, str],
) -> Summary:
    """End a run that another process started, collect it and judge what is still to be seen.

    OperationError when the master says nothing of it.
    """
    run = plan.specification
    checks = default_checks(cluster.release, versions["locust"], run.arrival_rate)
    course = Course(Judge(run.slos, run.request_tags), Validity(checks))
    try:
        _wait_for_word(course, cluster)
        _stop(plan, course, cluster, interruption, progress)
        course.faults.update(cluster.finish())
        return _conclude(plan, cluster, course, interruption, versions)
    finally:
        progress.close()
        cluster.kill()


def _wait_for_word(course: Course, cluster: Cluster) -> None:
    deadline = time.monotonic() + cluster.silence_seconds
    while course.last is None:
        snapshot = cluster.next_snapshot(POLL_SECONDS)
        if snapshot:
            course.take(snapshot)
        if time.monotonic() > deadline:
            raise OperationError(f"the master has said nothing for {cluster.silence_seconds:.0f} s")


def _plan(
    specification: RunSpecification,
    cluster: Cluster,
    results: Path,
    progress: Progress,
    run_id: str,
) -> Plan:
    """Check everything and decide what is open; nothing of the run has started yet."""
    cluster.preflight(specification)
    inspection = cluster.inspect(specification)
    if inspection.error:
        raise UsageError(
            f"--locustfile {specification.locustfile} can't be used: {inspection.error}"
        )
    unknown = set(specification.user_classes) - set(inspection.user_classes)
    if unknown:
        raise UsageError(
            f"{specification.locustfile} has no User class {', '.join(sorted(unknown))}: it has "
            f"{', '.join(sorted(inspection.user_classes))}"
        )
    own = {host for host in inspection.user_classes.values() if host}
    host = specification.host or (own.pop() if len(own) == 1 else None)
    if host is None and not own:
        host = cluster.default_host(inspection.simulator)
        if host is None:
            raise UsageError(
                "no host to load: give --host the target's base URL, or put a host into group "
                "targets of the inventory"
            )
        progress.step(f"No HOST given: loading the bundled target at {host}")
        cluster.require_target(host, TARGET_START_SECONDS, verify=True)
    elif host and not specification.skip_target_check:
        cluster.require_target(host, 0.0, verify=not specification.insecure_target)
    directory = archive.create_run_directory(results, run_id)
    return Plan(run_id, specification, host or "", bool(inspection.shapes), directory)


def _carry_out(
    plan: Plan,
    cluster: Cluster,
    interruption: Interruption,
    progress: Progress,
    versions: Mapping[str, str],
) -> tuple[Summary, Path]:
    run = plan.specification
    checks = default_checks(cluster.release, versions["locust"], run.arrival_rate)
    judge = Judge(run.slos, run.request_tags)
    course = Course(judge, Validity(checks), warm=run.warm_up == 0)
    progress.step(f"Run {plan.run_id}: starting {cluster.workers_expected} workers")
    try:
        cluster.start(plan)
        _wait_for_load(course, cluster, interruption)
        if course.last and course.last.test_started_at:
            progress.step(f"Loading {plan.host}; web UI at {cluster.web_url}")
            _watch(plan, course, cluster, interruption, progress)
            _stop(plan, course, cluster, interruption, progress)
    except OperationError as error:
        course.faults["run"] = str(error)
        progress.step(f"Ending the run: {error}")
    progress.close()
    if interruption.forced or course.last is None or course.last.test_started_at is None:
        cluster.kill()
    else:
        for name, sentence in cluster.finish().items():
            course.faults.setdefault(name, sentence)
    return _conclude(plan, cluster, course, interruption, versions), plan.directory


def _wait_for_load(course: Course, cluster: Cluster, interruption: Interruption) -> None:
    """Wait until every worker is there and Locust has started the test."""
    deadline = time.monotonic() + READY_SECONDS
    while not interruption.requested:
        snapshot = cluster.next_snapshot(POLL_SECONDS)
        if snapshot:
            course.take(snapshot)
            if snapshot.test_started_at:
                return
        faults = cluster.faults()
        if faults:
            course.faults.update(faults)
            raise OperationError("a process ended before the load began")
        if time.monotonic() > deadline:
            raise OperationError(
                f"only {course.workers_seen} of {cluster.workers_expected} workers were ready "
                f"after {READY_SECONDS:.0f} s; see the logs under hosts/"
            )


def _watch(
    plan: Plan,
    course: Course,
    cluster: Cluster,
    interruption: Interruption,
    progress: Progress,
) -> None:
    """Follow the load until it ends, is stopped, or the master is gone."""
    run = plan.specification
    overtime = time.monotonic() + run.warm_up + run.run_time + OVERTIME_SECONDS
    asked = False

    def done() -> bool:
        nonlocal asked
        if not course.warm and not asked and course.seconds >= run.warm_up:
            progress.step("Warm: measuring from now")
            cluster.reset_statistics()
            asked = True
        late = not plan.has_shape and time.monotonic() > overtime
        return interruption.requested or late or course.judge.abort_reason is not None

    _follow(course, cluster, progress, done)
    if course.judge.abort_reason is not None:
        progress.step(f"Ending the run: {course.judge.abort_reason}")


def _stop(
    plan: Plan,
    course: Course,
    cluster: Cluster,
    interruption: Interruption,
    progress: Progress,
) -> None:
    """Stop the load gracefully and wait for the last statistics."""
    if course.last and course.last.final:
        return
    progress.step("Stopping: waiting for the last statistics (Ctrl-C again to end at once)")
    cluster.stop_load()
    deadline = time.monotonic() + plan.specification.stop_timeout + STOP_GRACE_SECONDS
    _follow(course, cluster, progress, lambda: interruption.forced or time.monotonic() > deadline)
    if not interruption.forced and not (course.last and course.last.final):
        course.faults["master"] = "did not hand over its last statistics in time"


def _follow(course: Course, cluster: Cluster, progress: Progress, done: Callable[[], bool]) -> None:
    heard = time.monotonic()
    while not done():
        snapshot = cluster.next_snapshot(POLL_SECONDS)
        if snapshot:
            heard = time.monotonic()
            course.take(snapshot)
            progress.show(course.last or snapshot, course.judge.results())
            if snapshot.final:
                return
        _note_faults(course, cluster)
        _announce(course, progress)
        if "master" in course.faults:
            raise OperationError("the master is gone; what was measured until then is kept")
        if time.monotonic() - heard > cluster.silence_seconds:
            since = f" since {clock(course.last.time)}" if course.last else ""
            raise OperationError(
                f"the master has said nothing for {cluster.silence_seconds:.0f} s: requests that "
                f"were made{since} are not in this run's results"
            )


def _note_faults(course: Course, cluster: Cluster) -> None:
    """Note what ended by itself; without a worker or the exporter a run isn't to be believed."""
    for name, sentence in cluster.faults().items():
        if name in ("master", "target"):
            course.faults.setdefault(name, sentence)
        else:
            course.invalid.setdefault(name, f"{name} {sentence}")


def _announce(course: Course, progress: Progress) -> None:
    """Say at once, and once, why the run will be invalid: nobody should wait an hour for it."""
    found = {reason.kind: reason.sentence for reason in course.validity.reasons()}
    for kind, sentence in (course.invalid | found).items():
        if kind not in course.announced:
            course.announced.add(kind)
            progress.step(f"Invalid: {sentence}")


def _conclude(
    plan: Plan,
    cluster: Cluster,
    course: Course,
    interruption: Interruption,
    versions: Mapping[str, str],
) -> Summary:
    slos = course.judge.results()
    requests = sum(entry.requests for entry in course.last.entries) if course.last else 0
    if not requests and not course.faults and not interruption.requested:
        course.invalid["requests"] = "not one request was made, so nothing was measured"
    faults = [
        sentence if name == "run" else f"{name} {sentence}"
        for name, sentence in course.faults.items()
    ]
    if not course.warm and not course.faults and not interruption.requested:
        course.invalid["warm_up"] = "the run ended before its warm-up, so nothing was measured"
    reasons = course.validity.reasons()
    invalid = [reason.sentence for reason in reasons] + [*course.invalid.values()]
    outcome = Outcome(
        verdict=decide(
            interrupted=interruption.requested, faults=faults, invalid=invalid, slos=slos
        ),
        reasons=(*faults, *invalid),
        reason_kinds=("fault",) * len(faults)
        + (*(reason.kind for reason in reasons), *course.invalid),
        slos=slos,
        last=course.last,
        points=course.timeline.points,
        workers_expected=cluster.workers_expected,
        workers_seen=course.workers_seen,
        versions=versions,
        ended_at=datetime.now(UTC),
    )
    summary = write_results(plan, outcome)
    archive.point_latest(plan.directory.parent, plan.run_id)
    return summary
