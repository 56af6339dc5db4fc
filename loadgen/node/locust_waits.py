"""Ends Locust's own waits in a master when what they wait for is there, not a second later.

Locust looks once a second whether its workers have connected and whether their users have stopped,
and waits half a second for a worker that quits. Each of these waits is a `sleep` of a module's own
name, so only that name is given a sleep which is over as soon as the condition holds.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import gevent
import gevent.event
import locust.main
from locust import events, runners
from locust.runners import MasterRunner

LOOK_SECONDS = 0.02


class _Gevent:
    """gevent for Locust's runners; `sleep` ends when its greenlet's condition holds."""

    def __init__(self) -> None:
        self._conditions: dict[int, Callable[[], bool]] = {}

    def __getattr__(self, name: str) -> object:
        return getattr(gevent, name)

    @contextmanager
    def until(self, condition: Callable[[], bool]) -> Iterator[None]:
        """Let this greenlet's sleeps in the block end once the condition holds."""
        greenlet = id(gevent.getcurrent())
        before = self._conditions.get(greenlet)
        self._conditions[greenlet] = condition
        try:
            yield
        finally:
            self._conditions.pop(greenlet)
            if before is not None:
                self._conditions[greenlet] = before

    def sleep(self, seconds: float = 0, ref: bool = True) -> None:
        """Sleep as gevent does; see `until`."""
        condition = self._conditions.get(id(gevent.getcurrent()))
        if condition is None:
            gevent.sleep(seconds, ref)
            return
        deadline = time.monotonic() + seconds
        while not condition() and (left := deadline - time.monotonic()) > 0:
            gevent.sleep(min(LOOK_SECONDS, left))


def install() -> None:
    """Do so for every master of this process."""
    stop, leave = MasterRunner.stop, MasterRunner.quit
    waits = _Gevent()

    def stop_at_once(self: MasterRunner, send_stop_to_client: bool = True) -> None:
        with waits.until(lambda: self.user_count == 0):
            stop(self, send_stop_to_client)

    def leave_at_once(self: MasterRunner) -> None:
        # A worker sends its last report before it says that its users have gone; nobody receives
        # it once the runner's greenlets have ended.
        with waits.until(lambda: self.user_count == 0 or not len(self.greenlet)):
            leave(self)

    MasterRunner.stop = stop_at_once  # type: ignore[method-assign]
    MasterRunner.quit = leave_at_once  # type: ignore[method-assign]
    runners.gevent = waits  # type: ignore[attr-defined]
    _expect_workers()


def _expect_workers() -> None:
    """Let `--expect-workers` look when a worker comes; nothing else sleeps there in a master."""
    came = gevent.event.Event()
    events.worker_connect.add_listener(lambda **_: came.set())

    def sleep(seconds: float) -> None:
        came.wait(seconds)
        came.clear()

    clock = SimpleNamespace(monotonic=time.monotonic, sleep=sleep)
    locust.main.time = clock  # type: ignore[attr-defined, assignment]
