"""In each worker: adds to Locust's `stats` message what the master needs to trust it.

    data["loadgen"] = {"test": 1, "sequence": 7, "requests": 12345, "final": False,
                       "clock": 1795232000.1, "cpu_percent": 41.5, "memory_bytes": 84934656,
                       "release": "<sha256>", "locust_version": "2.47.0",
                       "stalled_seconds": 0.0, "requests_cut": 0, "held_up": "",
                       "refused": {"time_negative": 1},
                       "phase": "measured", "measured_seconds": 12.5}

`requests` counts what this worker has sent in its `test` (an ordinal within the process); the
master adds up what it receives, and a difference is a lost message. At the end of a test the last
statistics leave at once, marked `final`: they share one DEALER with `client_stopped`, ZeroMQ
keeps their order, and so the master has them before it counts the worker as stopped. `refused`
counts values of this test that were replaced, by their kind; see `odd_values`. `held_up` says
which users have not ended a moment after the stop timeout.

A report is of one *phase* only: what was gathered leaves at once when the warm-up ends (the master
says when) and when the stop begins. `measured_seconds` is how long the phase between them is, by a
clock that nobody sets.
"""

import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent
import locust
import psutil
from locust.env import Environment
from locust.exception import RPCError
from locust.runners import WorkerRunner

from loadgen.node.settings import NodeSettings, RunSettings
from loadgen.node.statistics import odd_values
from loadgen.node.statistics.measured_interval import MEASURE_MESSAGE
from loadgen.node.statistics.odd_values import OddValues
from loadgen.node.statistics.users_left import held_up, waits_for_answer
from loadgen.shared.snapshot import LOADING, Phase

logger = logging.getLogger(__name__)


HEARTBEAT_SECONDS = 0.1
# How long before Locust ends the remaining users the worker looks at them, and when they should
# have ended.
BEFORE_CUT_SECONDS, AFTER_CUT_SECONDS = 0.01, 1.0
SCHEDULE = Path("/proc/self/schedstat")
# The kernel counts a process's CPU in ticks of 10 ms: over less time a percentage says nothing.
DEMAND_SECONDS = 0.5


class CoreDemand:
    """How much of a core this process needs: what it used, and what it waited for in the queue.

    A worker that shares its core with others never uses 90 % of it and yet answers late, so the
    time that its main thread was ready and did not run counts too (Linux's schedstat, nanoseconds).
    """

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._process.cpu_percent()
        self._last = self._read()
        self._looked_at, self._percent = time.monotonic(), 0.0

    def percent(self) -> float:
        """Return the percentage of a core since the last look, DEMAND_SECONDS ago or longer."""
        now = time.monotonic()
        if now - self._looked_at >= DEMAND_SECONDS:
            self._looked_at, self._percent = now, self._look()
        return self._percent

    def _look(self) -> float:
        used, last = self._process.cpu_percent(), self._last
        self._last = self._read()
        if last is None or self._last is None or self._last[0] <= last[0]:
            return used
        needed = 100 * (self._last[1] - last[1]) / (self._last[0] - last[0])
        return max(used, min(100.0, needed))

    @staticmethod
    def _read() -> tuple[float, float] | None:
        try:
            ran, waited, _ = SCHEDULE.read_text().split()
        except (OSError, ValueError):
            return None
        return time.monotonic() * 1e9, float(ran) + float(waited)


class Heartbeat:
    """How long the event loop stood still: how late a short sleep ended."""

    def __init__(self) -> None:
        self._longest = 0.0

    def run(self) -> None:
        """Sleep and look, for ever."""
        while True:
            began = time.monotonic()
            gevent.sleep(HEARTBEAT_SECONDS)
            self._longest = max(self._longest, time.monotonic() - began - HEARTBEAT_SECONDS)

    def longest(self) -> float:
        """Return the longest stall since the last call, in seconds."""
        longest, self._longest = self._longest, 0.0
        return longest


class Reporter:
    """Counts what one worker sends. Install it after Locust's own listeners (event `init`)."""

    def __init__(
        self, runner: WorkerRunner, release: str, odd: OddValues, *, warm_up: bool = False
    ) -> None:
        self._runner = runner
        self._odd = odd
        self._warm_up = warm_up
        self.phase: Phase = "measured"
        self.phase_listeners: list[Callable[[Phase], None]] = []
        self._measured_since = time.monotonic()
        self._measured_seconds = 0.0
        self._release = release
        self._process = psutil.Process()
        self._demand = CoreDemand(self._process)
        self._heartbeat = Heartbeat()
        self._beating = gevent.spawn(self._heartbeat.run)
        self._cut = 0
        self._held_up = ""
        self._test = 0
        self._sequence = 0
        self._requests = 0
        self._final = False

    def begin(self, **_: object) -> None:
        """Start counting for a new test."""
        self._test += 1
        self._cut, self._held_up = 0, ""
        self._heartbeat.longest()
        self._requests = 0
        self._final = False
        self._enter("warm_up" if self._warm_up else "measured")
        self._measured_seconds = 0.0

    def measure(self, **_: object) -> None:
        """End the warm-up: what was gathered leaves as its own, and measuring begins."""
        if self.phase == "warm_up":
            self._send()
            self._enter("measured")

    def _enter(self, phase: Phase) -> None:
        """Begin a phase, for the requests that are answered from now on."""
        self.phase = phase
        if phase == "measured":
            self._measured_since = time.monotonic()
        for listener in self.phase_listeners:
            listener(phase)

    def report(self, data: dict[str, Any], **_: object) -> None:
        """Complete a report that Locust's own listener has filled (and cleared on its side)."""
        self._sequence += 1
        self._requests += data["stats_total"]["num_requests"]
        data["loadgen"] = {
            "test": self._test,
            "sequence": self._sequence,
            "requests": self._requests,
            "final": self._final,
            "clock": time.time(),
            "cpu_percent": self._demand.percent(),
            "memory_bytes": self._process.memory_info().rss,
            "release": self._release,
            "locust_version": locust.__version__,
            "stalled_seconds": self._heartbeat.longest(),
            "requests_cut": self._cut,
            "held_up": self._held_up,
            "refused": self._odd.refused,
            "phase": self.phase,
            "measured_seconds": self._measured(),
        }

    def _measured(self) -> float:
        if self.phase == "measured":
            self._measured_seconds = time.monotonic() - self._measured_since
        return self._measured_seconds

    def stopping(self, environment: Environment, **_: object) -> None:
        """End measuring, and count the requests that the stop timeout will cut off."""
        self._send()
        self._enter("stopping")
        patience = environment.stop_timeout or 0.0
        if patience > BEFORE_CUT_SECONDS:
            gevent.spawn_later(patience - BEFORE_CUT_SECONDS, self._count_cut)
        else:
            self._count_cut()
        gevent.spawn_later(patience + AFTER_CUT_SECONDS, self._look_for_users_left, self._test)

    def _count_cut(self) -> None:
        self._cut = sum(map(waits_for_answer, self._runner.user_greenlets))

    def _look_for_users_left(self, test: int) -> None:
        """Report now which users hold up the test's end: its last statistics may never leave."""
        if test != self._test or self._final:
            return
        self._held_up = held_up(self._runner.user_greenlets)
        if self._held_up:
            logger.warning("The test can't end: %s, has not ended", self._held_up)
            self._send()

    def end(self, environment: Environment, **_: object) -> None:
        """Send the test's last statistics now, without waiting for Locust's next report."""
        del environment
        self._final, self._held_up = True, ""
        self._send()
        logger.info("Test ended: %d requests reported to the master", self._requests)

    def _send(self) -> None:
        """Report what was gathered now, without waiting for Locust's next report."""
        data: dict[str, Any] = {}
        events = self._runner.environment.events
        events.report_to_master.fire(client_id=self._runner.client_id, data=data)
        try:
            self._runner.send_message("stats", data)
        except RPCError as error:
            logger.warning("Statistics of this test could not be sent: %s", error)

    def leave(self, **_: object) -> None:
        """End the test here before the process ends, so that its last statistics aren't lost.

        Stopping waits for requests under way. A spawn job in that time, because another worker has
        left too, would start users whose requests end with the process, uncounted: Locust discards
        a job that isn't newer than the last one.
        """
        self._runner.last_received_spawn_timestamp = sys.maxsize
        if self._runner.state in LOADING:
            self._runner.stop()


def install(environment: Environment, settings: NodeSettings, run: RunSettings | None) -> Reporter:
    """Attach a reporter to this worker and return it; call it on Locust's `init` event."""
    if not isinstance(environment.runner, WorkerRunner):
        raise TypeError(
            "a reporter can be installed only in a worker: call install() on its `init` event"
        )
    odd = odd_values.install(environment)
    release = settings.release_directory.resolve().name
    reporter = Reporter(environment.runner, release, odd, warm_up=bool(run and run.warm_up))
    environment.runner.register_message(MEASURE_MESSAGE, reporter.measure)
    environment.events.test_start.add_listener(reporter.begin)
    environment.events.test_stopping.add_listener(reporter.stopping)
    environment.events.test_stop.add_listener(reporter.end)
    environment.events.report_to_master.add_listener(reporter.report)
    # Locust fires this event in reverse order: ours comes before its own, which says goodbye.
    environment.events.quitting.add_listener(reporter.leave)
    return reporter
