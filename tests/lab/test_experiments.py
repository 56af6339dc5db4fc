"""Experiments on a deployed fleet: a sweep that is killed, a capacity search, the request log."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from loadgen.simulators.capacity import capacity
from tests.lab.fleet import INVENTORY, PROJECT, Loadgen, requests_at_target

HERE = "10.77.0.1:8300"  # this machine, as the lab's hosts see it
SERVICE_SECONDS, LIMIT_SECONDS = 0.1, 1.2
SWEEP = """
locustfile: locustfiles/hello.py
run_time: 3s
request_log: {}
sweep: {users: [3, 6]}
repetitions: 2
"""
ASKER = """
from locust import FastHttpUser, constant, task

class Asker(FastHttpUser):
    wait_time = constant(0)

    @task
    def ask(self):
        self.client.get("/")
"""
SEARCH = f"""
locustfile: asker.py
host: http://{HERE}
spawn_rate: 100
run_time: 4s
warm_up: 2s
slos: [{{measure: p95_seconds, at_most: {LIMIT_SECONDS + SERVICE_SECONDS / 2}}}]
search: {{start: 4, most: 32}}
"""


@pytest.fixture
def limited_target() -> Iterator[None]:
    """Serve a target of known capacity on the lab's bridge."""
    command = [sys.executable, "-m", "loadgen.simulators", "capacity", "--listen", HERE]
    command += ["--law", "lock", "--service-seconds", str(SERVICE_SECONDS)]
    process = subprocess.Popen(command, cwd=PROJECT)
    try:
        _await_answer(f"http://{HERE}/_state.json")
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def _await_answer(url: str) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.1)
        else:
            return


def _series(loadgen: Loadgen) -> Path:
    return next(loadgen.results.glob("*/journal.jsonl")).parent


def test_a_sweep_that_is_killed_resumes_and_its_request_logs_are_whole(
    loadgen: Loadgen, tmp_path: Path
) -> None:
    file = tmp_path / "sweep.yml"
    file.write_text(SWEEP.replace("locustfiles", str(PROJECT / "locustfiles")))
    before = requests_at_target()
    process = loadgen.start("run", "--experiment", str(file))
    _await_judged(loadgen, process, 2)
    process.kill()
    process.communicate(timeout=30)
    loadgen("stop")
    command = [sys.executable, "-m", "loadgen", "resume", str(_series(loadgen))]
    finished = subprocess.run(
        [*command, "--inventory", str(INVENTORY)],
        cwd=PROJECT, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stdout + finished.stderr

    table = list(csv.DictReader((_series(loadgen) / "table.csv").read_text().splitlines()))
    assert [(row["users"], row["repetition"]) for row in table] == [
        ("3", "1"), ("3", "2"), ("6", "1"), ("6", "2"),
    ]  # fmt: skip
    for row in table:
        log = pl.read_parquet(loadgen.results / row["run_id"] / "requests.parquet")
        assert log.height == int(row["requests"]) > 0
        assert log["worker"].n_unique() >= 3
    assert requests_at_target() - before >= sum(int(row["requests"]) for row in table)


def _await_judged(loadgen: Loadgen, process: subprocess.Popen[str], count: int) -> None:
    """Wait until so many of a sweep's runs have a line in its journal, and the next is loading."""
    deadline = time.monotonic() + 200
    while process.poll() is None and time.monotonic() < deadline:
        journals = list(loadgen.results.glob("*/journal.jsonl"))
        if journals and journals[0].read_text().count('"verdict"') >= count:
            return
        time.sleep(0.2)
    raise AssertionError(f"no {count} runs were judged")


@pytest.fixture
def own_locustfile(tmp_path: Path) -> Path:
    """Write a locustfile outside the project."""
    file = tmp_path / "site" / "asker.py"
    file.parent.mkdir()
    file.write_text(ASKER)
    return file


@pytest.mark.usefixtures("limited_target")
def test_a_capacity_search_finds_a_known_capacity(
    loadgen: Loadgen, own_locustfile: Path, tmp_path: Path
) -> None:
    experiment = tmp_path / "search.yml"
    experiment.write_text(SEARCH.replace("asker.py", str(own_locustfile)))
    command = loadgen.command("run", "--experiment", str(experiment), "--quiet")
    process = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    try:
        output, _ = process.communicate(timeout=1100)
    finally:
        process.send_signal(signal.SIGINT)
    assert process.returncode == 0, output
    found = json.loads((_series(loadgen) / "capacity.json").read_text())
    expected = capacity("lock", SERVICE_SECONDS, 4, LIMIT_SECONDS)
    assert abs(found["low"] - expected) <= max(1, 0.05 * expected), found["sentence"]
    assert found["limited_by"] == "target"
