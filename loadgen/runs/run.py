"""The life of a run: check, start, load, stop, collect, judge.

Everything is bounded in time, and every way out goes through `finish` or `kill`, so that nothing
stays behind and what was measured is kept.
"""

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from loadgen.cluster.base import Cluster
from loadgen.cluster.scenario import find_scenario
from loadgen.node.statistics.exits import asked, raised
from loadgen.results import archive
from loadgen.results.kept import keep
from loadgen.results.page.index_page import renew_index
from loadgen.results.statistics_file import HostCpu
from loadgen.results.summary import Provenance, Summary
from loadgen.results.writer import write_results
from loadgen.runs.course import RUN_FAULT, Course
from loadgen.runs.planning import look, make_plan
from loadgen.runs.progress import Progress
from loadgen.runs.target_cpu import target_cpu
from loadgen.shared.errors import OperationError, UsageError
from loadgen.shared.files import hold
from loadgen.shared.interruption import Interruption
from loadgen.shared.run_ids import make_run_id
from loadgen.shared.text import clock
from loadgen.specification.plan import RunPlan
from loadgen.specification.run import RunSpecification

READY_SECONDS = 60.0
SHAPE_SECONDS = 10.0
STOP_GRACE_SECONDS = 75.0
OVERTIME_SECONDS = 30.0
POLL_SECONDS = 0.2
PARTING_SNAPSHOTS = 100
SILENCE_SAID_SECONDS = 5.0
FIGURES: Mapping[str, bool | Mapping[str, bool]] = {
    **dict.fromkeys(("verdict", "started_at", "ended_at", "measured_seconds"), True),
    **dict.fromkeys(("requests", "failures", "response_time_seconds", "workers"), True),
    "specification": {"users": True},
}
"""What an exporter shows of a run that has ended; see `exporter.archive`."""


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
        inspection = look(specification, cluster, progress, interruption)
        with hold(results):
            run_id = run_id or make_run_id(specification.locustfiles[0])
            plan = make_plan(
                specification, cluster, inspection, results, progress, run_id, interruption
            )
            return Run(plan, cluster, interruption, progress, versions).carry_out(), plan.directory
    finally:
        progress.close()
        cluster.kill()


class Run:
    """One run of a plan on a cluster. `versions` names at least Locust's."""

    def __init__(
        self,
        plan: RunPlan,
        cluster: Cluster,
        interruption: Interruption,
        progress: Progress,
        versions: Mapping[str, str],
    ) -> None:
        self._plan = plan
        self._cluster = cluster
        self._interruption = interruption
        self._progress = progress
        self._versions = versions
        self._course = Course.of(plan.specification, cluster.release, versions["locust"])
        self._course.load_seconds = plan.load_seconds
        self._course.missing = tuple(cluster.missing.values())
        self._stop_was_ours = False
        self._patience = plan.specification.stop_timeout
        self._origin = Provenance()

    def _keep(self) -> None:
        """Keep what another person needs to repeat the run; a full disk is said at its end."""
        run = self._plan.specification
        with contextlib.suppress(OSError, UsageError):
            self._origin = keep(self._plan.directory, run, find_scenario(run.locustfiles))

    def carry_out(self) -> Summary:
        """Start the run, follow it to its end, and judge it."""
        cluster, course = self._cluster, self._course
        self._keep()
        course.warm = self._plan.specification.warm_up == 0
        self._progress.step(f"Run {self._plan.run_id}: starting {cluster.workers_expected} workers")
        try:
            cluster.start(self._plan)
            self._wait_for_load()
            if course.has_load:
                self._progress.step(f"Loading {self._plan.host}; web UI at {cluster.web_url}")
                self._watch()
                self._stop()
        except OperationError as error:
            course.faults[RUN_FAULT] = str(error)
            self._progress.step(f"Ending the run: {error}")
        self._progress.close()
        if self._interruption.forced or not course.has_load:
            cluster.kill()
        else:
            for name, sentence in cluster.finish().items():
                course.faults.setdefault(name, sentence)
            self._take_parting_words()
        return self._conclude()

    def take_over(self, was_specified: bool, patience: float | None = None) -> Summary:
        """End a run that another process started, collect it and judge what is still to be seen.

        Its requests under way may take `patience` seconds to finish; None: what its plan says.

        A test that somebody started in the web UI was not specified: its end is as good as any.
        OperationError when the master says nothing of it.
        """
        try:
            self._wait_for_word()
            if patience is not None:
                self._patience = patience
            self._stop()
            self._course.faults.update(self._cluster.finish())
            self._take_parting_words()
            self._stop_was_ours = not was_specified
            return self._conclude()
        finally:
            self._progress.close()
            self._cluster.kill()

    def _wait_for_word(self) -> None:
        silence = self._cluster.silence_seconds
        deadline = time.monotonic() + silence
        while self._course.last is None:
            self._take_next()
            if time.monotonic() > deadline:
                raise OperationError(f"no message came from the master for {silence:.0f} s")

    def _take_next(self) -> bool:
        """Learn from the next snapshot; False when none comes for a moment."""
        snapshot = self._cluster.next_snapshot(POLL_SECONDS)
        if snapshot:
            self._course.take(snapshot)
        return snapshot is not None

    def _take_parting_words(self) -> None:
        """Read the last words of each process: its locustfile may ask for an exit code, or fail."""
        self._course.asked_exits = tuple(asked(self._plan.directory, self._plan.run_id))
        self._course.note_raised(tuple(raised(self._plan.directory, self._plan.run_id)))
        for _ in range(PARTING_SNAPSHOTS):
            snapshot = self._cluster.next_snapshot(0)
            if snapshot is None:
                return
            self._course.take_parting(snapshot)

    def _wait_for_load(self) -> None:
        """Wait until every worker is there and Locust has started the test."""
        deadline = time.monotonic() + READY_SECONDS
        say_at = time.monotonic() + SILENCE_SAID_SECONDS
        while not self._interruption.requested:
            self._take_next()
            if self._course.has_load:
                return
            if time.monotonic() > say_at:
                say_at += SILENCE_SAID_SECONDS
                self._progress.step(
                    f"Waiting for workers: {self._course.workers_seen} of "
                    f"{self._cluster.workers_expected} are there"
                )
            faults = self._cluster.faults()
            if faults:
                self._course.faults.update(faults)
                raise OperationError("a process of the run ended before the load began")
            if self._course.why_no_load:
                raise OperationError(self._course.why_no_load)
            if self._plan.has_shape and self._course.workers_seen >= self._cluster.workers_expected:
                # Only the shape's first tick is missing.
                deadline = min(deadline, time.monotonic() + SHAPE_SECONDS)
            if time.monotonic() > deadline:
                raise OperationError(self._too_late())

    def _too_late(self) -> str:
        seen, expected = self._course.workers_seen, self._cluster.workers_expected
        if seen < expected:
            after = f"after {READY_SECONDS:.0f} s; see the logs under hosts/"
            return f"only {seen} of {expected} workers were ready {after}"
        if self._plan.has_shape:
            return (
                f"all {expected} workers were ready, but the load shape started no users within "
                f"{SHAPE_SECONDS:.0f} s: its first tick() must return users and not None"
            )
        return f"all {expected} workers were ready, but Locust started no test; see its logs"

    def _watch(self) -> None:
        """Follow the load until it ends, is stopped, or the master is gone."""
        run, course = self._plan.specification, self._course
        overtime = time.monotonic() + run.warm_up + run.run_time + OVERTIME_SECONDS
        said = course.warm

        def done() -> bool:
            nonlocal said
            if course.warm and not said:
                self._progress.step("The warm-up is over: the measurement begins now")
                said = True
            late = self._plan.load_seconds is not None and time.monotonic() > overtime
            return self._interruption.requested or late or course.judge.abort_reason is not None

        self._follow(done)
        if course.judge.abort_reason is not None:
            self._progress.step(f"Ending the run: {course.judge.abort_reason}")

    def _stop(self) -> None:
        """Stop the load gracefully and wait for the last statistics."""
        if self._course.is_complete:
            return
        self._progress.step(
            "Stopping: waiting for the last statistics (Ctrl-C again to end at once)"
        )
        self._stop_was_ours = True
        self._cluster.stop_load()
        deadline = time.monotonic() + self._patience + STOP_GRACE_SECONDS
        self._follow(lambda: self._interruption.forced or time.monotonic() > deadline)
        if not self._interruption.forced and not self._course.is_complete:
            self._course.faults["master"] = "did not send its last statistics in time"

    def _follow(self, done: Callable[[], bool]) -> None:
        course, heard, said = self._course, time.monotonic(), 0.0
        while not done():
            if self._take_next() and course.last:
                heard, said = time.monotonic(), 0.0
                self._progress.show(course.last, course.totals, course.judge.results())
                if course.is_complete:
                    return
            course.note_faults(self._cluster.faults())
            for sentence in course.news():
                self._progress.step(f"Invalid: {sentence}")
            for sentence in course.unmatched():
                self._progress.step(sentence[:1].upper() + sentence[1:])
            if "master" in course.faults:
                raise OperationError(
                    "the master ended unexpectedly; the measurements up to then are kept"
                )
            silent = time.monotonic() - heard
            if silent > said + SILENCE_SAID_SECONDS:
                said = silent
                self._progress.step(
                    f"No message has come from the master for {silent:.0f} s; the run ends as an "
                    f"error after {self._cluster.silence_seconds:.0f} s"
                )
            if silent > self._cluster.silence_seconds:
                self._raise_silence()

    def _raise_silence(self) -> None:
        last = self._course.last
        since = f" ({clock(last.time)})" if last else ""
        raise OperationError(
            f"no message came from the master for {self._cluster.silence_seconds:.0f} s; requests "
            f"made since its last message{since} are missing from the results"
        )

    def _conclude(self) -> Summary:
        cluster = self._cluster
        versions = {**self._versions, "scenario": cluster.scenario}
        outcome = self._course.conclude(
            self._interruption.requested,
            self._stop_was_ours,
            cluster.workers_expected,
            versions,
        )
        outcome = replace(
            outcome,
            machines=self._cluster.machines,
            origin=self._origin,
            target_cpu=self._target_cpu(),
        )
        summary = write_results(self._plan, outcome)
        archive.point_latest(self._plan.directory.parent, self._plan.run_id)
        with contextlib.suppress(OSError):
            renew_index(self._plan.directory.parent)
        self._tell(summary)
        return summary

    def _target_cpu(self) -> tuple[HostCpu, ...]:
        last = self._course.last
        if last is None or last.measured_from is None or self._interruption.forced:
            return ()
        end = last.measured_until or last.time
        try:
            return tuple(target_cpu(os.environ, last.measured_from, end))
        except OperationError as error:
            self._progress.step(f"The report lacks the target's CPU: {error}")
            return ()

    def _tell(self, summary: Summary) -> None:
        """Let the cluster's exporter know the verdict; the run is what it is without that."""
        if self._interruption.forced:
            return
        figures = summary.model_dump_json(include=FIGURES)
        try:
            self._cluster.keep_figures(summary.run_id, figures)
        except OperationError as error:
            self._progress.step(f"Dashboards don't show this run's verdict: {error}")
