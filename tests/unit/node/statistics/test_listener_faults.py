"""What a listener of Locust's events raises is kept among the run's exceptions."""

import logging
from collections.abc import Iterator
from types import SimpleNamespace

import gevent
import pytest
from gevent.pool import Group
from locust import User, log, task
from locust.env import Environment
from locust.exception import StopUser
from locust.rpc import Message
from locust.runners import WorkerRunner

from loadgen.node.statistics.listener_faults import ListenerFaults, install


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Environment]:
    """An environment whose listeners are watched, and nothing of it left afterwards."""
    monkeypatch.setattr(log, "unhandled_greenlet_exception", False)
    monkeypatch.setattr(User, "run", User.run)
    made = Environment()
    made.create_local_runner()
    # As Locust sets up its logs.
    monkeypatch.setattr(logging.getLogger("locust"), "propagate", False)
    install(made)
    yield made
    for logger in (logging.getLogger(), logging.getLogger("locust")):
        for handler in [one for one in logger.handlers if isinstance(one, ListenerFaults)]:
            logger.removeHandler(handler)


def fail(**_: object) -> None:
    raise RuntimeError("no data")


def test_what_a_listener_raises_is_an_exception_of_the_run(environment: Environment) -> None:
    environment.events.quitting.add_listener(fail)
    environment.events.quitting.fire(environment=environment)
    assert environment.runner
    (kept,) = environment.runner.exceptions.values()
    assert kept["msg"] == "outside of its tasks the locustfile raised RuntimeError: no data"
    assert "in fail" in kept["traceback"]


def test_what_ends_a_greenlet_of_locusts_own_is_too(environment: Environment) -> None:
    greenlet = gevent.spawn(fail)
    greenlet.link_exception(log.greenlet_exception_logger(logging.getLogger("locust.runners")))
    gevent.joinall([greenlet])
    gevent.sleep(0)
    assert environment.runner
    assert [one["msg"] for one in environment.runner.exceptions.values()] == [
        "outside of its tasks the locustfile raised RuntimeError: no data"
    ]


def test_a_worker_tells_its_master(environment: Environment) -> None:
    sent: list[Message] = []

    worker = WorkerRunner.__new__(WorkerRunner)
    worker.client = SimpleNamespace(send=sent.append)  # type: ignore[assignment]
    worker.client_id = "one"
    environment.runner = worker
    environment.events.test_start.add_listener(fail)
    environment.events.test_start.fire(environment=environment)
    (message,) = sent
    assert message.type == "exception"
    assert message.data["msg"].endswith("raised RuntimeError: no data")


class Leaver(User):
    """One that stops itself, and fails to log out."""

    @task
    def leave(self) -> None:
        raise StopUser

    def on_stop(self) -> None:
        raise ValueError("no logout")


class Wordless(User):
    """One whose start fails without a word."""

    def on_start(self) -> None:
        raise AssertionError


def run(environment: Environment, user: type[User]) -> list[str]:
    user(environment).start(Group()).join(5)
    assert environment.runner
    return [str(one["msg"]) for one in environment.runner.exceptions.values()]


def test_what_on_stop_raises_is_an_exception_of_the_run(environment: Environment) -> None:
    assert run(environment, Leaver) == ["in on_stop the locustfile raised ValueError: no logout"]


def test_an_exception_without_a_text_is_called_by_its_kind(environment: Environment) -> None:
    assert run(environment, Wordless) == ["AssertionError"]
