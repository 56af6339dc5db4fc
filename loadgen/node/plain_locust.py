"""The exporter beside any Locust: a plugin for plain `locust -f`, a master or a single process.

    # in a locustfile                     # or without touching one
    import loadgen_exporter_plugin        locust -f loadgen_exporter_plugin.py,mine.py

The process that has all statistics publishes them as a kit's master does (`publisher`), and starts
the same exporter as a child: a scrape costs Locust nothing, and the exporter outlives Locust by one
scrape. Settings are environment variables: `LOADGEN_EXPORTER_LISTEN` (127.0.0.1:9646) and
`LOADGEN_EXPORTER_OPTIONS`, words of `python -m exporter`'s command line (`--compatible-names`).

Workers of a plain Locust don't report their own counts, so lost requests can't be noticed.
"""

import logging
import os
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import gevent
import locust
import psutil
from locust import stats
from locust.env import Environment
from locust.runners import MasterRunner, Runner, WorkerRunner

from loadgen.node.settings import exporter_options
from loadgen.node.statistics import odd_values, time_rounding
from loadgen.node.statistics.master_snapshot import base_url, entries_of, errors_of
from loadgen.node.statistics.measured_interval import completed_of
from loadgen.node.statistics.publisher import INTERVAL_SECONDS, bind
from loadgen.shared.processes import Child
from loadgen.shared.snapshot import LOADING, ExceptionCount, Snapshot, WorkerStatus
from loadgen.specification.ports import EXPORTER_PORT

logger = logging.getLogger(__name__)

LISTEN = "LOADGEN_EXPORTER_LISTEN"
DEFAULT_LISTEN = f"127.0.0.1:{EXPORTER_PORT}"
LAST_REPORTS_SECONDS = 4.0
"""Plain workers report every three seconds; what they did last arrives so late."""
LINGER_SECONDS = 60
START_SECONDS = 3.0


class PlainPublisher:
    """Publishes the statistics of one runner. `send` takes a packed snapshot and doesn't block."""

    def __init__(self, runner: Runner, locustfile: str, send: Callable[[bytes], None]) -> None:
        self._runner, self._locustfile, self._send = runner, locustfile, send
        self._process = psutil.Process()
        self._process.cpu_percent()
        self._name, self._epochs = uuid.uuid4().hex, 0
        self._started_at: float | None = None
        self._measured_from: float | None = None
        self._stopping_at: float | None = None
        self._stopped_at: float | None = None
        self._quit = False

    def begin(self, **_: object) -> None:
        """Begin a test."""
        self._started_at = self._measured_from = time.time()
        self._stopping_at = self._stopped_at = None
        self.publish()

    def stopping(self, **_: object) -> None:
        """Note when the load ends."""
        self._stopping_at = time.time()

    def end(self, **_: object) -> None:
        """Note the end of a test."""
        self._stopped_at = time.time()
        self._stopping_at = self._stopping_at or self._stopped_at
        self.publish()

    def quit(self, **_: object) -> None:
        """Publish for the last time."""
        self._quit = True
        self.publish()

    def epoch_begins(self) -> None:
        """Count from zero: Locust has cleared its statistics."""
        self._epochs += 1
        if self._started_at is not None:
            self._measured_from = time.time()

    def publish(self) -> None:
        """Send one snapshot; if it can't be made, only this one is missing."""
        try:
            self._send(self.snapshot().pack())
        except Exception:  # anything raised here would reach Locust and change its exit code
            logger.exception("A snapshot for the exporter could not be made")

    def snapshot(self) -> Snapshot:
        """Take the runner's whole state."""
        runner, now = self._runner, time.time()
        began, ended = self._measured_from, self._stopping_at or now
        return Snapshot(
            time=now,
            epoch=f"{self._name}-{self._epochs}",
            run_id=self._run_id(),
            locustfile=self._locustfile,
            host=base_url(runner),
            state=runner.state,
            final=self._is_final(now),
            users=runner.user_count,
            users_target=runner.target_user_count if runner.state in LOADING else 0,
            workers_expected=len(self._workers()),
            workers_lost=0,
            test_started_at=self._started_at,
            test_stopped_at=self._stopped_at,
            master_cpu_percent=self._process.cpu_percent(),
            master_memory_bytes=self._process.memory_info().rss,
            workers=self._workers(),
            entries=entries_of(runner.stats),
            errors=errors_of(runner.stats),
            load_stopped_at=self._stopping_at,
            locust_version=locust.__version__,
            exceptions=[
                ExceptionCount(str(one["msg"])[:500], one["count"])
                for one in runner.exceptions.values()
            ],
            monotonic_seconds=time.monotonic(),
            measured_from=began,
            measured_seconds=0.0 if began is None else max(0.0, ended - began),
            completed=completed_of(runner.stats),
        )

    def _run_id(self) -> str:
        if self._started_at is None:
            return ""
        return time.strftime("locust-%Y%m%dT%H%M%SZ", time.gmtime(self._started_at))

    def _is_final(self, now: float) -> bool:
        if self._stopped_at is None:
            return self._quit and self._started_at is not None
        late = LAST_REPORTS_SECONDS if isinstance(self._runner, MasterRunner) else 0.0
        return self._quit or now - self._stopped_at >= late

    def _workers(self) -> list[WorkerStatus]:
        runner = self._runner
        if not isinstance(runner, MasterRunner):
            memory = self._process.memory_info().rss
            name = f"{os.uname().nodename}_{self._name}"
            return [
                _status(name, 0, runner.state, runner.user_count, runner.current_cpu_usage, memory)
            ]
        return [
            _status(
                client.id,
                runner.get_worker_index(client.id),
                client.state,
                client.user_count,
                client.cpu_usage,
                client.memory_usage,
            )
            for client in runner.clients.all
        ]


def _status(
    name: str, index: int, state: str, users: int, cpu_percent: float, memory_bytes: int
) -> WorkerStatus:
    return WorkerStatus(
        id=name,
        index=index,
        state=state,
        users=users,
        cpu_percent=cpu_percent,
        memory_bytes=memory_bytes,
        clock_offset_seconds=None,
        requests_sent=0,
        requests_received=0,
        release="",
        locust_version="",
    )


def install(environment: Environment, **_: object) -> None:
    """Attach to this process; called on Locust's `init` event. Workers only keep times finely."""
    runner = environment.runner
    if runner is None:
        return
    stats.bucket_response_time = time_rounding.bucket  # type: ignore[assignment]
    odd_values.install(environment)
    if isinstance(runner, WorkerRunner):
        return
    directory = Path(tempfile.mkdtemp(prefix="loadgen-exporter-"))
    endpoint = f"ipc://{directory / 'publisher.sock'}"
    socket = bind(endpoint)
    publisher = PlainPublisher(runner, _locustfile(environment), socket.send)
    _watch_epochs(runner, publisher)
    exporter = _start_exporter(endpoint, directory)
    gevent.spawn(_say_where, exporter)

    def tick() -> None:
        while True:
            publisher.publish()
            gevent.sleep(INTERVAL_SECONDS)

    ticking = gevent.spawn(tick)
    events = environment.events
    events.test_start.add_listener(publisher.begin)
    events.test_stopping.add_listener(publisher.stopping)
    events.test_stop.add_listener(publisher.end)

    def close(**_: object) -> None:
        ticking.kill(block=False)
        publisher.quit()
        socket.close()
        # The exporter ends by itself when this process ends, because the pipe between them closes.
        shutil.rmtree(directory, ignore_errors=True)

    events.quit.add_listener(close)


def _locustfile(environment: Environment) -> str:
    files = getattr(environment.parsed_options, "locustfile", "") or ""
    own = Path(sys.modules[__name__].__file__ or "").name
    names = [name for name in str(files).split(",") if not name.endswith(("_plugin.py", own))]
    return ",".join(names)


def _start_exporter(endpoint: str, directory: Path) -> Child:
    listen = os.environ.get(LISTEN, DEFAULT_LISTEN)
    more = exporter_options(os.environ)
    arguments = ["exporter", f"--subscribe={endpoint}", f"--listen={listen}"]
    arguments += [f"--linger={LINGER_SECONDS}", *more]
    return Child("exporter", arguments, directory / "exporter.log", lifeline=True)


def _say_where(exporter: Child) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and exporter.alive:
        gevent.sleep(0.1)
        said = exporter.log.read_text() if exporter.log.exists() else ""
        if said.startswith("Metrics at"):
            logger.info("%s", said.strip())
            return
    if exporter.fault:
        logger.error("There are no metrics: the exporter %s", exporter.fault)


def _watch_epochs(runner: Runner, publisher: PlainPublisher) -> None:
    for name in ("clear_all", "reset_all"):
        forget = getattr(runner.stats, name)

        def forget_published(forget: Callable[[], None] = forget) -> None:
            publisher.publish()
            forget()
            publisher.epoch_begins()

        setattr(runner.stats, name, forget_published)
