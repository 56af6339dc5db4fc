"""One definition of what is measured, on real runs against a target of known capacity."""

import json
from datetime import datetime

import polars as pl
import pytest

from tests.local.conftest import Runner

SERVICE_SECONDS = 0.05
CAPACITY_PER_SECOND = 1 / SERVICE_SECONDS
BURST = 2.5 * CAPACITY_PER_SECOND
"""A worker that waited for a core counts what came meanwhile in one second."""
SLOW = """
import time
from locust import User, events, task

class Visitor(User):
    host = "http://127.0.0.1:9"

    def on_start(self):
        self.fire("login", 5.0)

    @task
    def page(self):
        began = time.time()
        time.sleep(0.02)
        self.fire("page", 1000 * (time.time() - began))

    def on_stop(self):
        self.fire("logout", 5.0)

    def fire(self, name, milliseconds):
        self.environment.events.request.fire(
            request_type="GET", name=name, response_time=milliseconds, response_length=1,
            exception=None, context={}, start_time=time.time() - milliseconds / 1000)
"""
LOCKED = f"""
locustfile: closed.py
simulator: capacity
simulator_arguments: [--law, lock, --service-seconds, "{SERVICE_SECONDS}"]
users: 30
spawn_rate: 100
run_time: 5s
warm_up: 2s
workers: 2
slos:
  - {{measure: throughput_per_second, at_least: 1}}
"""
CLOSED = """
from loadgen.scenario.http import FastUser
from locust import constant, task

class Visitor(FastUser):
    wait_time = constant(0)

    @task
    def ask(self):
        self.client.get("/")
"""
OPEN = """
from loadgen.scenario import ArrivalShape, OpenModelUser

class Visits(OpenModelUser):
    network_timeout = 60.0

    def arrival(self):
        self.client.get("/")
"""


def test_throughput_is_no_higher_than_the_target_can_bear(loadgen: Runner) -> None:
    (loadgen.tmp_path / "closed.py").write_text(CLOSED)
    (loadgen.tmp_path / "locked.yml").write_text(LOCKED)
    code, run = loadgen.finish("--experiment", "locked.yml", "--request-log")
    assert code in (0, 3), run.output + run.logs()
    summary = run.summary
    seconds = summary["measured_seconds"]
    # One more may have been begun before the interval and answered in it.
    assert summary["requests"] <= CAPACITY_PER_SECOND * seconds + 1
    assert summary["throughput_per_second"] <= CAPACITY_PER_SECOND + 1 / seconds
    assert summary["throughput_per_second"] >= 0.7 * CAPACITY_PER_SECOND
    assert 4.5 <= seconds <= 10, "it ends when the clock says so, late on a busy machine"
    began, ended = (datetime.fromisoformat(summary[name]) for name in ("started_at", "ended_at"))
    assert (ended - began).total_seconds() == pytest.approx(seconds, abs=1e-3)
    # Thirty users waited when the stop began: what they were answered then stands apart.
    assert summary["after_stop"]["requests"] >= 15
    assert summary["after_stop"]["maximum_seconds"] > 1
    # The same everywhere: SLO, log, statistics over time.
    said = summary["slos"][0]["measured"]
    assert said == pytest.approx(summary["throughput_per_second"])
    log = pl.read_parquet(run.directory / "requests.parquet")
    assert log.filter(pl.col("phase") == "measured").height == summary["requests"]
    statistics = json.loads((run.directory / "statistics.json").read_text())
    assert sum(point["requests"] for point in statistics["points"]) == summary["requests"]
    assert sum(second["requests"] for second in statistics["completed"]) == summary["requests"]
    most = max(second["requests"] for second in statistics["completed"])
    assert most <= BURST


def test_arrivals_beyond_what_the_target_bears_raise_no_throughput(loadgen: Runner) -> None:
    """In an open model the queue grows without end; what is answered can't exceed the lock."""
    (loadgen.tmp_path / "open.py").write_text(OPEN)
    rate = 2 * CAPACITY_PER_SECOND
    locked = LOCKED.replace("closed.py", "open.py").replace("users: 30\nspawn_rate: 100\n", "")
    (loadgen.tmp_path / "open.yml").write_text(f"{locked}\narrival_rate: {rate}\n")
    code, run = loadgen.finish("--experiment", "open.yml")
    assert code in (0, 3), run.output + run.logs()
    summary, seconds = run.summary, run.summary["measured_seconds"]
    assert summary["requests"] <= CAPACITY_PER_SECOND * seconds + 1
    assert summary["throughput_per_second"] <= CAPACITY_PER_SECOND + 1 / seconds
    assert summary["throughput_per_second"] >= 0.7 * CAPACITY_PER_SECOND
    statistics = json.loads((run.directory / "statistics.json").read_text())
    by_method = {entry["method"]: entry["requests"] for entry in statistics["entries"]}
    # The row of the arrivals stands beside its requests, and is not counted once more.
    assert by_method["ARRIVAL"] == pytest.approx(by_method["GET"], abs=2)
    assert summary["requests"] == by_method["GET"]
    most = max(second["requests"] for second in statistics["completed"])
    assert most <= BURST


def test_what_only_came_before_or_after_is_no_part_of_the_run(loadgen: Runner) -> None:
    (loadgen.tmp_path / "slow.py").write_text(SLOW)
    (loadgen.tmp_path / "each.yml").write_text(
        "locustfile: slow.py\nusers: 4\nspawn_rate: 100\nrun_time: 3s\nwarm_up: 2s\nworkers: 1\n"
        "skip_target_check: true\n"
        "slos: [{measure: p95_seconds, at_most: 5, each_name: true}]\n"
    )
    code, run = loadgen.finish("--experiment", "each.yml")
    assert code == 0, run.output + run.logs()
    statistics = json.loads((run.directory / "statistics.json").read_text())
    assert [entry["name"] for entry in statistics["entries"]] == ["page"]
    assert run.summary["after_stop"]["requests"] >= 4
    assert [slo["held"] for slo in run.summary["slos"]] == [True]
