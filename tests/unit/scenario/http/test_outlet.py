"""Ordinary requests go past Locust's event; whatever else there is gets the event as ever."""

from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from locust.env import Environment
from locust.event import EventHook
from locust.rpc.protocol import Message
from locust.runners import LocalRunner
from locust.stats import StatsEntry

from loadgen.node.statistics import odd_values
from loadgen.scenario.http import FastUser
from loadgen.scenario.http.outlet import Outlet, ordinarily
from tests.unit.scenario.http.awkward import Awkward

FIELDS = {
    "request_type", "name", "context", "response", "exception", "start_time", "url",
    "response_length", "response_time",
}  # fmt: skip


class Fires:
    """Counts how often an event is fired, without being a listener of it."""

    def __init__(self) -> None:
        self.count = 0
        copy = list.copy

        class Handlers(list[Any]):
            def copy(handlers) -> list[Any]:  # noqa: N805 - this method counts for the outer self
                self.count += 1
                return copy(handlers)

        self.handlers = Handlers


@pytest.fixture
def runner(server: Awkward) -> Iterator[LocalRunner]:
    user = type("User", (FastUser,), {"host": server.url, "tasks": [lambda _: None]})
    environment = Environment(user_classes=[user])
    made = environment.create_local_runner()
    yield made
    made.quit()


@pytest.fixture
def fired(runner: LocalRunner) -> Fires:
    fires = Fires()
    event = runner.environment.events.request
    event._handlers = fires.handlers(event._handlers)
    return fires


@pytest.fixture
def user(runner: LocalRunner) -> Iterator[FastUser]:
    made: FastUser = runner.user_classes[0](runner.environment)  # type: ignore[assignment]
    yield made
    made.client.close()


def _entry(runner: LocalRunner, name: str) -> StatsEntry:
    return runner.stats.entries[name, "GET"]


def test_an_ordinary_request_is_counted_without_the_event(
    user: FastUser, runner: LocalRunner, fired: Fires
) -> None:
    for _ in range(3):
        user.client.get("/plain")
    assert fired.count == 0
    entry = _entry(runner, "/plain")
    assert (entry.num_requests, entry.total_content_length, entry.num_failures) == (3, 15, 0)
    assert runner.stats.total.num_requests == 3
    assert 0 < (entry.min_response_time or 0) <= entry.max_response_time < 5000


def _failed(user: FastUser) -> None:
    with user.client.get("/plain", catch_response=True) as response:
        response.failure("wrong")


def test_a_caught_request_is_counted_without_the_event_at_the_end_of_its_block(
    user: FastUser, runner: LocalRunner, fired: Fires
) -> None:
    with user.client.get("/plain", catch_response=True) as response:
        assert runner.stats.total.num_requests == 0
        response.request_meta["name"] = "renamed"
    with user.client.get("/status/404", name="renamed", catch_response=True) as response:
        response.success()
    assert fired.count == 0
    assert _entry(runner, "renamed").num_requests == 2
    assert runner.stats.total.num_failures == 0
    assert runner.stats.total.total_content_length == 5


@pytest.mark.parametrize(
    ("act", "failures"),
    [
        (_failed, 1),
        (lambda user: user.client.get("/status/404", name="/plain"), 1),
        (lambda user: user.client.get("/no-answer", name="/plain"), 1),
        (lambda user: user.client.get("/plain", context={"a": 1}), 0),
    ],
)
def test_what_is_not_ordinary_fires_the_event(
    user: FastUser,
    runner: LocalRunner,
    fired: Fires,
    act: Callable[[FastUser], None],
    failures: int,
) -> None:
    act(user)
    assert fired.count == 1
    assert _entry(runner, "/plain").num_requests == 1
    assert _entry(runner, "/plain").num_failures == failures


@pytest.mark.parametrize("of_class", [True, False])
def test_a_user_with_a_context_is_asked_for_it(
    user: FastUser, fired: Fires, of_class: bool
) -> None:
    asked: list[object] = []

    def context(*_: object) -> dict[str, Any]:
        asked.append(1)
        return {}

    user.client.get("/plain")
    holder: Any = type(user) if of_class else user
    holder.context = context
    user.client.get("/plain")
    assert (fired.count, len(asked)) == (1, 1)


def test_a_listener_gets_the_event_from_when_it_comes_to_when_it_goes(
    user: FastUser, runner: LocalRunner, fired: Fires
) -> None:
    event, heard = runner.environment.events.request, []
    user.client.get("/plain")
    listener = event.add_listener(lambda **fields: heard.append(fields))
    user.client.get("/plain")
    event.remove_listener(listener)
    user.client.get("/plain")
    assert fired.count == 1
    assert [set(fields) for fields in heard] == [FIELDS]
    assert _entry(runner, "/plain").num_requests == 3


def test_a_listener_that_takes_ordinary_requests_gets_them_and_the_others(
    user: FastUser, runner: LocalRunner, fired: Fires
) -> None:
    class Log:
        def __init__(self) -> None:
            self.ordinary: list[tuple[Any, ...]] = []
            self.others: list[Any] = []

        @ordinarily("take")
        def on_request(self, **fields: Any) -> None:
            self.others.append(fields["exception"])

        def take(self, *request: Any) -> None:
            self.ordinary.append(request)

    log = Log()
    runner.environment.events.request.add_listener(log.on_request)
    user.client.get("/plain", name="named")
    user.client.get("/status/500")
    (method, name, milliseconds, size, start, status), *more = log.ordinary
    assert (method, name, size, status, more) == ("GET", "named", 5, 200, [])
    assert milliseconds == _entry(runner, "named").max_response_time
    assert start > 1_700_000_000
    assert [type(error).__name__ for error in log.others] == ["LocustBadStatusCode"]
    assert fired.count == 1


def test_a_name_that_is_no_text_is_counted_by_the_event(
    user: FastUser, runner: LocalRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Message, "serialize", Message.serialize)
    odd_values.install(runner.environment)
    user.client.get("/plain", name=5)
    with user.client.get("/plain", name=5, catch_response=True):
        pass
    assert _entry(runner, "5").num_requests == 2


def test_an_event_of_another_kind_is_fired(user: FastUser) -> None:
    class Own(EventHook):
        def fire(self, **fields: Any) -> None:
            heard.append(fields["name"])

    heard: list[str] = []
    user.client.request_event = Own()  # type: ignore[no-untyped-call]
    user.client.get("/plain")
    assert heard == ["/plain"]
    assert Outlet.of(user.client.request_event).takers == ()


def test_a_user_without_a_wait_lets_others_run_and_stops_between_its_tasks(
    runner: LocalRunner,
) -> None:
    runner.user_classes[0].tasks = [lambda user: user.client.get("/plain")]
    runner.start(5, spawn_rate=100)
    seen: list[int] = []
    while _entry(runner, "/plain").num_requests < 50:
        gevent.sleep(0.001)
        seen.append(runner.stats.total.num_requests)
    runner.stop()
    total = runner.stats.total.num_requests
    assert len(seen) > 1
    assert runner.user_count == 0
    gevent.sleep(0.01)
    assert runner.stats.total.num_requests == total
    assert runner.stats.total.num_failures == 0


def test_a_user_whose_requests_find_nobody_lets_others_run(runner: LocalRunner) -> None:
    runner.user_classes[0].tasks = [lambda user: user.client.get("http://127.0.0.1:1/")]
    runner.start(2, spawn_rate=100)
    with gevent.Timeout(10):
        while runner.stats.total.num_failures <= 2:
            gevent.sleep(0.001)
    runner.stop()
