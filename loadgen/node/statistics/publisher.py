"""In the master: sends the whole state as snapshots on a PUB socket, once a second and at turns.

    worker ─stats─► master ─► Publisher ─ZeroMQ PUB, ipc─► exporter, live view, run

The turns: test start, before statistics are cleared or reset, the end of a test when its last
statistics have arrived (`final`), and quitting. It shares the master's process with Locust, so it
never blocks and never raises: a fault of its own is logged once and costs snapshots only.
`LoadTest` knows where the test stands, `MeasuredInterval` which statistics count, `SnapshotTaker`
what the master's state is.
"""

import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
import zmq.green as zmq
from locust.env import Environment
from locust.runners import MasterRunner
from locust.stats import RequestStats

from loadgen.judging.slo_judge import Judge
from loadgen.node.end_of_test import who_ends
from loadgen.node.settings import NodeSettings, RunSettings
from loadgen.node.statistics.load_test import LoadTest
from loadgen.node.statistics.master_snapshot import Identity, SnapshotTaker
from loadgen.node.statistics.measured_interval import MeasuredInterval, empty
from loadgen.shared.snapshot import LOADING, SloStatus, Snapshot

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0
# How many snapshots ZeroMQ keeps for a slow subscriber before it drops some; each snapshot is
# complete.
QUEUED_SNAPSHOTS = 30
SOCKET_UMASK = 0o117


class Publisher:
    """Follows one master through its tests. `send` takes a packed snapshot and must not block."""

    def __init__(
        self,
        runner: MasterRunner,
        identity: Identity,
        judge: Judge,
        send: Callable[[bytes], None],
        warm_up_seconds: float = 0.0,
    ) -> None:
        self._runner = runner
        self._test = LoadTest()
        self._interval = MeasuredInterval(runner, self._test.ledger.measured_seconds)
        self._snapshots = SnapshotTaker(runner, identity, self._test, self._interval)
        self._warm_up_seconds = warm_up_seconds
        self._warming: gevent.Greenlet | None = None
        self._judge = judge
        self._send = send
        self._faulty = False
        self._has_quit = False

    # --- start and end of a test, called by Locust's events ----------------------------------

    def test_started(self, **_: object) -> None:
        """Begin a test; Locust has just cleared its statistics."""
        self._guarded(self._begin)

    def test_stopping(self, **_: object) -> None:
        """Note when the load ends, and who is lost before Locust turns to stopping."""
        self._test.load_stopped_at = time.time()
        self._test.ended_by = who_ends()
        if self._warming:
            self._warming.kill(block=False)
        self._guarded(self._interval.stop)
        self._guarded(self._observe)

    def test_stopped(self, **_: object) -> None:
        """Note the end; the final snapshot follows when the last statistics have arrived."""
        self._guarded(self._end)

    def arriving(self, client_id: str, data: dict[str, Any], **_: object) -> None:
        """Look at a worker's report before Locust's own listener merges it."""
        self._guarded(lambda: self._arrive(client_id, data))

    def received(self, client_id: str, data: dict[str, Any], **_: object) -> None:
        """Take in a worker's report; Locust's own listener has merged it already."""
        del client_id
        self._guarded(lambda: self._receive(data))

    def epoch_ends(self) -> None:
        """Publish the counts that are about to be cleared."""
        self._guarded(self.publish)

    def epoch_begins(self) -> None:
        """Count from zero."""
        self._guarded(self._begin_epoch)

    def quit(self, **_: object) -> None:
        """Publish for the last time; nothing will arrive any more."""
        self._test.close()
        self._guarded(lambda: self.publish(parting=True))
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
        self._test.begin_epoch()
        self._interval.begin_epoch()

    def _begin(self) -> None:
        self._test.begin(self._worker_states(), time.time())
        self._interval.begin_test(warm_up=self._warm_up_seconds > 0)
        if self._warm_up_seconds > 0:
            self._warming = gevent.spawn_later(self._warm_up_seconds, self._end_warm_up)
        self.publish()

    def _end_warm_up(self) -> None:
        self._guarded(self._interval.begin_measuring)
        self._guarded(self.publish)

    def _end(self) -> None:
        self._observe()
        patience = self._runner.environment.stop_timeout or 0.0
        self._test.end(time.time(), time.monotonic(), patience)
        self.publish()

    def _arrive(self, client_id: str, data: dict[str, Any]) -> None:
        self._test.ledger.receive(client_id, data, time.time())
        if self._interval.is_late_warm_up(data):
            self._test.ledger.forget(client_id)
            empty(data)
            self._interval.ask_again(client_id)

    def _receive(self, data: dict[str, Any]) -> None:
        self._interval.receive(data)
        if self._test.settle(time.monotonic()):
            self.publish()

    def _tick(self) -> None:
        self._observe()
        self._test.settle(time.monotonic())
        self.publish()

    def _worker_states(self) -> dict[str, str]:
        return {client.id: client.state for client in self._runner.clients.all}

    def _observe(self) -> None:
        self._test.observe(self._worker_states(), running=self._runner.state in LOADING)

    def publish(self, *, parting: bool = False) -> None:
        """Take, judge and send one snapshot."""
        self._send(replace(self._judged(self._snapshots.take()), parting=parting).pack())

    def _judged(self, snapshot: Snapshot) -> Snapshot:
        self._judge.add(snapshot)
        results = self._judge.results()
        slos = [SloStatus(one.slo, one.held, one.measured, one.limit) for one in results]
        return replace(snapshot, slos=slos)


def _watch_epochs(stats: RequestStats, publisher: Publisher) -> None:
    """Wrap the two methods with which Locust clears its statistics, whoever calls them.

    No event covers them all: `--reset-stats` and a test start fire none beforehand.
    """
    for name in ("clear_all", "reset_all"):
        forget = getattr(stats, name)

        def forget_published(forget: Callable[[], None] = forget) -> None:
            publisher.epoch_ends()
            forget()
            publisher.epoch_begins()

        setattr(stats, name, forget_published)


def bind(endpoint: str) -> "zmq.Socket[bytes]":
    """Bind a PUB socket that only this user and its group may read."""
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
        raise TypeError(
            "a publisher can be installed only in a master: call install() on its `init` event"
        )
    socket = bind(settings.publisher_endpoint)
    judge = Judge(run.slos, run.request_tags) if run else Judge(())
    warm_up_seconds = run.warm_up if run else 0.0
    publisher = Publisher(runner, Identity.of(settings, run), judge, socket.send, warm_up_seconds)
    _watch_epochs(runner.stats, publisher)
    events = environment.events
    events.test_start.add_listener(publisher.test_started)
    events.test_stopping.add_listener(publisher.test_stopping)
    events.test_stop.add_listener(publisher.test_stopped)
    # Before Locust's own listener, which merges, and after it.
    events.worker_report._handlers.insert(0, publisher.arriving)
    events.worker_report.add_listener(publisher.received)
    ticking = gevent.spawn(publisher.run)

    def close(**_: object) -> None:
        ticking.kill(block=False)
        publisher.quit()
        socket.close()

    events.quit.add_listener(close)
