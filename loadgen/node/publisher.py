"""In the master: sends the whole state as snapshots on a PUB socket, once a second and at turns.

    worker ─stats─► master ─► Publisher ─ZeroMQ PUB, ipc─► exporter, live view, run

The turns: test start, before statistics are cleared or reset, the end of a test when its last
statistics have arrived (`final`), and quitting. It shares the master's process with Locust, so it
never blocks and never raises: a fault of its own is logged once and costs snapshots only.
"""

import logging
import os
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import gevent
import locust
import psutil
import zmq.green as zmq
from locust.env import Environment
from locust.runners import MasterRunner, WorkerNode
from locust.stats import RequestStats

from loadgen.judging.slo_judge import Judge
from loadgen.node.settings import NodeSettings, RunSettings
from loadgen.node.worker_ledger import Ledger
from loadgen.shared.snapshot import (
    EntryStatistics,
    ErrorCount,
    ExceptionCount,
    SloStatus,
    Snapshot,
    WorkerStatus,
)

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0
# Snapshots that wait for a slow subscriber before ZeroMQ drops them; each is complete.
QUEUED_SNAPSHOTS = 30
# Beyond these, errors still count in their entry's `failures`.
MAX_ERRORS = 1000
MAX_ERROR_CHARACTERS = 500
# How long after the end of a test its last statistics are waited for, beyond Locust's own wait.
FINAL_REPORT_SECONDS = 5.0
SOCKET_UMASK = 0o117
TEST_STATES = ("spawning", "running")
STOPPED = "stopped"


class Publisher:
    """Follows one master through its tests. `send` takes a packed snapshot and must not block."""

    def __init__(
        self,
        runner: MasterRunner,
        settings: NodeSettings,
        run: RunSettings | None,
        send: Callable[[bytes], None],
    ) -> None:
        self._runner = runner
        self._environment: Environment = runner.environment
        self._run_id = run.run_id if run else ""
        self._named_run = run is not None
        names = run.locustfiles if run else (settings.locustfile,)
        release = settings.release_directory.resolve()
        self._locustfile = ",".join(_within(release, name) for name in names)
        self._release = release.name
        self._send = send
        self._ledger = Ledger()
        self._judge = Judge(run.slos, run.request_tags) if run else Judge(())
        self._epoch_began_at = 0.0
        self._process = psutil.Process()
        self._process.cpu_percent()
        self._identity = uuid.uuid4().hex
        self._epochs = 0
        self._started_at: float | None = None
        self._stopped_at: float | None = None
        self._final = False
        self._load_stopped_at: float | None = None
        self._patience_ends = 0.0
        self._workers_at_start = 0
        self._faulty = False
        self._has_quit = False

    # --- turns of a test, called by Locust's events ------------------------------------------

    def test_started(self, **_: object) -> None:
        """Begin a test; Locust has just cleared its statistics."""
        self._guarded(self._begin_test)

    def test_stopping(self, **_: object) -> None:
        """Note when the load ends, and who is lost before Locust turns to stopping."""
        self._load_stopped_at = time.time()
        self._guarded(self._observe)

    def test_stopped(self, **_: object) -> None:
        """Note the end; the final snapshot follows when the last statistics have arrived."""
        self._guarded(self._end_test)

    def received(self, client_id: str, data: dict[str, Any], **_: object) -> None:
        """Take in a worker's report; Locust's own listener has merged it already."""
        self._guarded(lambda: self._receive(client_id, data))

    def epoch_ends(self) -> None:
        """Publish the counts that are about to be cleared."""
        self._guarded(self.publish)

    def epoch_begins(self) -> None:
        """Count from zero."""
        self._guarded(self._begin_epoch)

    def quit(self, **_: object) -> None:
        """Publish for the last time; nothing will arrive any more."""
        self._final = self._final or self._started_at is not None
        self._guarded(self.publish)
        # The socket may be closed from now on, while Locust writes its reports.
        self._has_quit = True

    def run(self) -> None:
        """Publish once a second, until the process quits."""
        while not self._has_quit:
            self._guarded(self._tick)
            gevent.sleep(INTERVAL_SECONDS)

    # --- what they do --------------------------------------------------------------------------

    def _guarded(self, action: Callable[[], None]) -> None:
        try:
            action()
            self._faulty = False
        except Exception:  # anything raised here would reach Locust and change its exit code
            if not self._faulty:
                logger.exception("Live statistics are incomplete: a snapshot could not be made")
            self._faulty = True

    def _begin_epoch(self) -> None:
        self._epochs += 1
        self._epoch_began_at = time.time()
        self._ledger.begin_epoch()

    def _begin_test(self) -> None:
        self._started_at, self._stopped_at, self._final = time.time(), None, False
        self._load_stopped_at = None
        if not self._named_run:
            self._run_id = time.strftime("web-%Y%m%dT%H%M%SZ", time.gmtime(self._started_at))
        self._ledger.begin_test(self._worker_states())
        self._workers_at_start = self._runner.worker_count
        self.publish()

    def _end_test(self) -> None:
        self._observe()
        self._stopped_at = time.time()
        patience = (self._environment.stop_timeout or 0.0) + FINAL_REPORT_SECONDS
        # A clock that is set meanwhile must not cut the wait short, nor draw it out.
        self._patience_ends = time.monotonic() + patience
        self._finish_if_closed()
        self.publish()

    def _receive(self, client_id: str, data: dict[str, Any]) -> None:
        self._ledger.receive(client_id, data, time.time())
        if self._stopped_at is not None and not self._final:
            self._finish_if_closed()
            if self._final:
                self.publish()

    def _tick(self) -> None:
        self._observe()
        self._finish_if_closed()
        self.publish()

    def _finish_if_closed(self) -> None:
        if self._stopped_at is None or self._final:
            return
        self._final = self._ledger.closed() or time.monotonic() > self._patience_ends

    def _worker_states(self) -> dict[str, str]:
        return {client.id: client.state for client in self._runner.clients.all}

    def _observe(self) -> None:
        if self._started_at is None or self._stopped_at is not None:
            return
        self._ledger.observe(self._worker_states(), running=self._runner.state in TEST_STATES)

    # --- the snapshot --------------------------------------------------------------------------

    def publish(self) -> None:
        """Build, judge and send one snapshot."""
        snapshot = self.snapshot()
        if snapshot.test_started_at is not None:
            # After a warm-up's reset the SLOs are about what came since.
            began = max(snapshot.test_started_at, self._epoch_began_at)
            self._judge.add(replace(snapshot, test_started_at=began))
        results = self._judge.results() if snapshot.test_started_at else ()
        slos = [SloStatus(one.slo, one.held, one.measured, one.limit) for one in results]
        self._send(replace(snapshot, slos=slos).pack())

    def snapshot(self) -> Snapshot:
        """Take the master's whole state."""
        runner = self._runner
        options = self._environment.parsed_options
        return Snapshot(
            time=time.time(),
            epoch=f"{self._identity}-{self._epochs}",
            run_id=self._run_id,
            locustfile=self._locustfile,
            host=_without_secrets(self._host()),
            state=runner.state,
            final=self._final,
            users=runner.user_count,
            users_target=runner.target_user_count if runner.state in TEST_STATES else 0,
            workers_expected=max(getattr(options, "expect_workers", 0), self._workers_at_start),
            workers_lost=len(self._ledger.lost),
            test_started_at=self._started_at,
            test_stopped_at=self._stopped_at,
            master_cpu_percent=self._process.cpu_percent(),
            master_memory_bytes=self._process.memory_info().rss,
            workers=self._workers(),
            entries=_entries(runner.stats),
            errors=_errors(runner.stats),
            load_stopped_at=self._load_stopped_at,
            release=self._release,
            locust_version=locust.__version__,
            exceptions=_exceptions(runner),
            monotonic_seconds=time.monotonic(),
            workers_unfinished=self._ledger.unfinished() if self._final else 0,
        )

    def _host(self) -> str:
        hosts = {str(user.host) for user in self._runner.user_classes if user.host}
        return self._environment.host or (hosts.pop() if len(hosts) == 1 else "")

    def _workers(self) -> list[WorkerStatus]:
        clients = self._runner.clients.all
        present = [self._worker(client) for client in clients]
        if not self._final:
            return present
        # Locust forgets a worker when it stops, a moment before the worker registers again; the
        # last snapshot has to say what each of them sent.
        parted = self._ledger.parted({client.id for client in clients})
        return present + [self._parted(worker) for worker in parted]

    def _parted(self, worker: str) -> WorkerStatus:
        record = self._ledger.record(worker)
        return WorkerStatus(
            id=worker,
            index=self._runner.get_worker_index(worker),
            state=STOPPED,
            users=0,
            cpu_percent=0.0,
            memory_bytes=0,
            clock_offset_seconds=record.clock_offset_seconds,
            requests_sent=record.sent,
            requests_received=record.received,
            release=record.release,
            locust_version=record.locust_version,
            stalled_seconds=record.stalled_seconds,
            requests_cut=record.requests_cut,
        )

    def _worker(self, client: WorkerNode) -> WorkerStatus:
        record = self._ledger.record(client.id)
        return WorkerStatus(
            id=client.id,
            index=self._runner.get_worker_index(client.id),
            state=client.state,
            users=client.user_count,
            cpu_percent=client.cpu_usage if record.cpu_percent is None else record.cpu_percent,
            memory_bytes=client.memory_usage
            if record.memory_bytes is None
            else record.memory_bytes,
            clock_offset_seconds=record.clock_offset_seconds,
            requests_sent=record.sent,
            requests_received=record.received,
            release=record.release,
            locust_version=record.locust_version,
            stalled_seconds=record.stalled_seconds,
            requests_cut=record.requests_cut,
        )


def _entries(stats: RequestStats) -> list[EntryStatistics]:
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
    ]


def _errors(stats: RequestStats) -> list[ErrorCount]:
    # The first ones, not the most frequent: which errors are sent must not change in an epoch.
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


def _without_secrets(host: str) -> str:
    """Drop user, password, query and fragment from a base URL."""
    parts = urlsplit(host)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _watch_epochs(stats: RequestStats, publisher: Publisher) -> None:
    """Wrap the two methods by which Locust forgets, whoever calls them.

    No event covers them all: `--reset-stats` and a test start fire none beforehand.
    """
    for name in ("clear_all", "reset_all"):
        forget = getattr(stats, name)

        def forget_published(forget: Callable[[], None] = forget) -> None:
            publisher.epoch_ends()
            forget()
            publisher.epoch_begins()

        setattr(stats, name, forget_published)


def _bind(endpoint: str) -> "zmq.Socket[bytes]":
    socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUB)
    socket.setsockopt(zmq.SNDHWM, QUEUED_SNAPSHOTS)
    socket.setsockopt(zmq.LINGER, 1000)
    if endpoint.startswith("ipc://"):
        Path(endpoint.removeprefix("ipc://")).parent.mkdir(parents=True, exist_ok=True)
    # libzmq creates the socket file with the umask's mode; chmod afterwards would leave a gap.
    umask = os.umask(SOCKET_UMASK)
    try:
        socket.bind(endpoint)
    finally:
        os.umask(umask)
    return socket


def install(environment: Environment, settings: NodeSettings, run: RunSettings | None) -> None:
    """Attach a publisher to this master; call it on Locust's `init` event.

    Raises zmq.ZMQError when the endpoint can't be bound: a fleet must not run unseen.
    """
    runner = environment.runner
    if not isinstance(runner, MasterRunner):
        raise TypeError("a publisher belongs in a master: call install() on its `init` event")
    socket = _bind(settings.publisher_endpoint)
    publisher = Publisher(runner, settings, run, socket.send)
    _watch_epochs(runner.stats, publisher)
    events = environment.events
    events.test_start.add_listener(publisher.test_started)
    events.test_stopping.add_listener(publisher.test_stopping)
    events.test_stop.add_listener(publisher.test_stopped)
    events.worker_report.add_listener(publisher.received)
    ticking = gevent.spawn(publisher.run)

    def close(**_: object) -> None:
        ticking.kill(block=False)
        publisher.quit()
        socket.close()

    events.quit.add_listener(close)
