"""Builds a snapshot from a Locust master's live state: users, workers, statistics, errors."""

import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit, urlunsplit

import locust
import psutil
from locust.env import Environment
from locust.runners import MasterRunner, Runner, WorkerNode
from locust.stats import RequestStats

from loadgen.node.settings import NodeSettings, RunSettings
from loadgen.node.statistics.load_test import LoadTest
from loadgen.node.statistics.measured_interval import MeasuredInterval
from loadgen.shared.exit_codes import exit_code
from loadgen.shared.snapshot import (
    LOADING,
    EntryStatistics,
    ErrorCount,
    ExceptionCount,
    Snapshot,
    WorkerStatus,
)

# Beyond these, errors still count in their entry's `failures`.
MAX_ERRORS = 1000
MAX_ERROR_CHARACTERS = 500
STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Identity:
    """What runs here. `run_id` is None where tests are started by hand: each is named anew."""

    run_id: str | None
    locustfile: str
    release: str

    @classmethod
    def of(cls, settings: NodeSettings, run: RunSettings | None) -> "Identity":
        """Read it from a node's settings."""
        release = settings.release_directory.resolve()
        names = run.locustfiles if run else (settings.locustfile,)
        locustfile = ",".join(_within(release, name) for name in names)
        return cls(run.run_id if run else None, locustfile, release.name)

    def run_id_of(self, test: LoadTest) -> str:
        """Name the test under way; a test started by hand is named after its start."""
        if self.run_id is not None:
            return self.run_id
        if test.started_at is None:
            return ""
        return time.strftime("web-%Y%m%dT%H%M%SZ", time.gmtime(test.started_at))


class SnapshotTaker:
    """Takes snapshots of one master, which `test` and `interval` follow."""

    def __init__(
        self,
        runner: MasterRunner,
        identity: Identity,
        test: LoadTest,
        interval: MeasuredInterval,
    ) -> None:
        self._runner = runner
        self._interval = interval
        self._environment: Environment = runner.environment
        self._identity = identity
        self._test = test
        self._process = psutil.Process()
        self._process.cpu_percent()

    def take(self) -> Snapshot:
        """Take the master's whole state; SLOs are the judge's to add."""
        runner, test = self._runner, self._test
        options = self._environment.parsed_options
        return Snapshot(
            time=time.time(),
            epoch=test.epoch,
            run_id=self._identity.run_id_of(test),
            locustfile=self._identity.locustfile,
            host=base_url(runner),
            state=runner.state,
            final=test.final,
            users=runner.user_count,
            users_target=runner.target_user_count if runner.state in LOADING else 0,
            workers_expected=max(getattr(options, "expect_workers", 0), test.workers_at_start),
            workers_lost=len(test.ledger.lost),
            test_started_at=test.started_at,
            test_stopped_at=test.stopped_at,
            master_cpu_percent=self._process.cpu_percent(),
            master_memory_bytes=self._process.memory_info().rss,
            workers=self._workers(),
            entries=entries_of(self._interval.within),
            errors=errors_of(self._interval.within),
            load_stopped_at=test.load_stopped_at,
            release=self._identity.release,
            locust_version=locust.__version__,
            exceptions=_exceptions(runner),
            monotonic_seconds=time.monotonic(),
            workers_unfinished=test.ledger.unfinished() if test.final else 0,
            refused=test.ledger.refused(),
            requests_total=self._interval.requests_total,
            measured_from=self._interval.began_at,
            measured_seconds=self._interval.seconds,
            entries_after=entries_of(self._interval.after),
            completed=self._interval.completed(),
            ended_by=test.ended_by,
            exit_code=exit_code(self._environment.process_exit_code),
        )

    def _workers(self) -> list[WorkerStatus]:
        clients = self._runner.clients.all
        present = [self._present(client) for client in clients]
        if not self._test.final:
            return present
        # Locust forgets a worker when it stops, a moment before the worker registers again; the
        # last snapshot has to say what each of them sent.
        parted = self._test.ledger.parted({client.id for client in clients})
        return present + [self._status(worker, STOPPED, 0, 0.0, 0) for worker in parted]

    def _present(self, client: WorkerNode) -> WorkerStatus:
        record = self._test.ledger.record(client.id)
        cpu = client.cpu_usage if record.cpu_percent is None else record.cpu_percent
        memory = client.memory_usage if record.memory_bytes is None else record.memory_bytes
        return self._status(client.id, client.state, client.user_count, cpu, memory)

    def _status(
        self, worker: str, state: str, users: int, cpu_percent: float, memory_bytes: int
    ) -> WorkerStatus:
        record = self._test.ledger.record(worker)
        return WorkerStatus(
            id=worker,
            index=self._runner.get_worker_index(worker),
            state=state,
            users=users,
            cpu_percent=cpu_percent,
            memory_bytes=memory_bytes,
            clock_offset_seconds=record.clock_offset_seconds,
            requests_sent=record.sent,
            requests_received=record.received,
            release=record.release,
            locust_version=record.locust_version,
            stalled_seconds=record.stalled_seconds,
            requests_cut=record.requests_cut,
            held_up=record.held_up,
        )


def entries_of(stats: RequestStats) -> list[EntryStatistics]:
    """Return the statistics of each name that was requested; a reset leaves the others as zeros.

    Its map of response times is Locust's own, not a copy.
    """
    return [
        EntryStatistics(
            method=str(entry.method or ""),
            name=str(entry.name),
            requests=entry.num_requests,
            failures=entry.num_failures,
            requests_untimed=entry.num_none_requests,
            response_times=cast("dict[float, int]", entry.response_times),
            response_time_total_ms=entry.total_response_time,
            response_time_min_ms=entry.min_response_time,
            response_time_max_ms=entry.max_response_time,
            response_bytes=entry.total_content_length,
        )
        for entry in stats.entries.values()
        if entry.num_requests or entry.num_failures
    ]


def errors_of(stats: RequestStats) -> list[ErrorCount]:
    """Return the first errors: the most frequent ones would change within an epoch."""
    return [
        ErrorCount(
            str(error.method or ""),
            str(error.name),
            str(error.error)[:MAX_ERROR_CHARACTERS],
            error.occurrences,
        )
        for error in islice(stats.errors.values(), MAX_ERRORS)
    ]


def _exceptions(runner: MasterRunner) -> list[ExceptionCount]:
    return [
        ExceptionCount(str(one["msg"])[:MAX_ERROR_CHARACTERS], one["count"])
        for one in islice(runner.exceptions.values(), MAX_ERRORS)
    ]


def _within(release: Path, name: str) -> str:
    """Name a locustfile as in the release, where it lies there; its own path elsewhere."""
    path = Path(name)
    return str(path.relative_to(release)) if path.is_relative_to(release) else name


def base_url(runner: Runner) -> str:
    """Return the target's base URL, where there is one, without secrets."""
    hosts = {str(user.host) for user in runner.user_classes if user.host}
    return _without_secrets(runner.environment.host or (hosts.pop() if len(hosts) == 1 else ""))


def _without_secrets(host: str) -> str:
    """Drop user, password, query and fragment from a base URL."""
    parts = urlsplit(host)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
