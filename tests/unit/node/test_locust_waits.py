"""A master waits no longer than it must."""

import time
from types import SimpleNamespace
from typing import Any

import gevent
import locust.main
import pytest
from locust import events, runners
from locust.runners import MasterRunner

from loadgen.node import locust_waits

SOON_SECONDS = 0.05
LONG_SECONDS = 60


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mend stand-ins for Locust's loops, which sleep long; put everything back afterwards."""

    def stop(self: Any, _: bool = True) -> None:
        while self.user_count != 0:
            vars(runners)["gevent"].sleep(LONG_SECONDS)

    def leave(self: Any) -> None:
        stop(self)
        self.user_count = 1
        vars(runners)["gevent"].sleep(LONG_SECONDS)

    monkeypatch.setattr(MasterRunner, "stop", stop)
    monkeypatch.setattr(MasterRunner, "quit", leave)
    monkeypatch.setattr(runners, "gevent", gevent)
    monkeypatch.setattr(locust.main, "time", time)
    monkeypatch.setattr(events.worker_connect, "_handlers", [])
    locust_waits.install()


def _master(users: int) -> Any:
    return SimpleNamespace(user_count=users, greenlet=[])


def test_a_stop_is_over_when_the_last_user_has_gone() -> None:
    master = _master(3)
    gevent.spawn_later(SOON_SECONDS, setattr, master, "user_count", 0)
    with gevent.Timeout(50):
        MasterRunner.stop(master)


def test_a_master_whose_runner_has_ended_waits_for_nobody() -> None:
    master = _master(0)
    with gevent.Timeout(50):
        MasterRunner.quit(master)
    assert master.user_count == 1


def test_workers_are_counted_when_one_comes() -> None:
    gevent.spawn_later(SOON_SECONDS, lambda: events.worker_connect.fire(client_id="one"))
    with gevent.Timeout(50):
        vars(locust.main)["time"].sleep(LONG_SECONDS)


def test_whoever_else_sleeps_there_sleeps_as_long_as_it_wants() -> None:
    began = time.monotonic()
    vars(runners)["gevent"].sleep(SOON_SECONDS)
    assert time.monotonic() - began >= SOON_SECONDS
