"""Locust's CSV files say nothing below the truth."""

import re
from pathlib import Path
from typing import Any

import gevent
import gevent.event
import pytest
from locust import User, constant, task
from locust.dispatch import UsersDispatcher
from locust.env import Environment
from locust.event import Events
from locust.rpc import Message
from locust.runners import WorkerNode, WorkerRunner
from locust.stats import StatsCSV, StatsCSVFileWriter

from loadgen.node import locust_fixes
from loadgen.node.statistics import time_rounding
from loadgen.node.statistics.users_left import held_up


def test_percentiles_of_csv_files_keep_their_fractions() -> None:
    kept = StatsCSV._percentile_fields
    locust_fixes.write_whole_percentiles()
    try:
        environment = Environment()
        entry: Any = environment.stats.get("/", "GET")
        for milliseconds in (0.93, 1.62, 1.62, 48.77):
            entry.log(milliseconds, 1)
        entry.response_times = {
            time_rounding.bucket(one): count for one, count in ((0.93, 1), (1.62, 2), (48.77, 1))
        }
        fields = StatsCSV(environment, [0.2, 0.5, 1.0])._percentile_fields(entry)
        assert fields == [0.93, 1.62, 48.77]
    finally:
        StatsCSV._percentile_fields = kept  # type: ignore[method-assign]


def test_csv_files_hold_what_came_after_their_last_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StatsCSVFileWriter, "close_files", StatsCSVFileWriter.close_files)
    locust_fixes.write_last_statistics()
    environment = Environment()
    writer = StatsCSVFileWriter(environment, [0.5], str(tmp_path / "locust"))
    environment.stats.log_request("GET", "/late", 12, 34)
    environment.stats.log_error("GET", "/late", "500")
    writer.close_files()
    rows = {path.name: path.read_text().splitlines() for path in tmp_path.iterdir()}
    assert rows["locust_stats.csv"][1].startswith("GET,/late,1,1,")
    assert rows["locust_failures.csv"][1].startswith("GET,/late,500,1")
    history = rows["locust_stats_history.csv"]
    assert history[0].startswith("Timestamp")
    assert ",Aggregated," in history[1]


@pytest.mark.parametrize(
    ("workers", "rate", "step", "seconds"),
    [(1, 1000, 100, 0.1), (2, 300, 50, 1 / 6), (1, 40, 40, 1.0), (50, 1000, 500, 0.5)],
)
def test_users_start_in_small_steps(workers: int, rate: int, step: int, seconds: float) -> None:
    class Waiting(User):
        weight = 1

    nodes = [WorkerNode(id=f"worker{number}") for number in range(workers)]
    dispatcher = UsersDispatcher(nodes, [Waiting])
    dispatcher.new_dispatch(target_user_count=10_000, spawn_rate=rate)
    locust_fixes.start_in_small_steps(dispatcher)
    assert dispatcher._user_count_per_dispatch_iteration == step
    assert dispatcher._wait_between_dispatch == pytest.approx(seconds)
    first = next(dispatcher)
    assert sum(users["Waiting"] for users in first.values()) == step


def test_a_worker_starts_no_user_before_init_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    events = Events()
    handled: list[str] = []
    monkeypatch.setattr(locust_fixes, "events", events)
    monkeypatch.setattr(
        WorkerRunner, "handle_message", lambda _self, message: handled.append(message.type)
    )
    locust_fixes.start_users_after_init()
    messages = [Message(kind, None, "worker1") for kind in ("ack", "spawn", "heartbeat")]
    handle: Any = WorkerRunner.handle_message
    worker = gevent.spawn(lambda: [handle(None, one) for one in messages])
    gevent.sleep(0.01)
    assert handled == ["ack"]
    events.init.add_listener(lambda **_: handled.append("init"))
    events.init.fire()
    worker.get(timeout=10)
    assert handled == ["ack", "init", "spawn", "heartbeat"]


def test_the_stop_timeout_limits_the_on_stop_of_users_that_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(User, "stop", User.stop)
    monkeypatch.setattr(UsersDispatcher, "_dispatcher", UsersDispatcher._dispatcher)
    locust_fixes.install()
    reached, waits = gevent.event.Event(), gevent.event.Event()

    class Slow(User):
        wait_time = constant(60)

        @task
        def finish(self) -> None:
            waits.set()

        def on_stop(self) -> None:
            reached.set()
            gevent.event.Event().wait()

    runner = Environment(user_classes=[Slow], stop_timeout=0.3).create_local_runner()
    runner.start(1, spawn_rate=10)
    assert waits.wait(10)
    stopping = gevent.spawn(runner.stop)
    assert reached.wait(10)
    (user,) = runner.user_greenlets
    assert re.fullmatch(
        r"1 of its users, one in on_stop \(test_locust_fixes\.py, line \d+\)", held_up([user])
    )
    stopping.get(timeout=10)
    assert user.dead
    runner.quit()
