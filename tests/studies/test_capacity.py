"""A capacity search for real: a target whose capacity is known by construction, with an outlier.

Takes some minutes, so it has a target of its own: `make test-studies`.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from loadgen.simulators.capacity import capacity

SERVICE_SECONDS, LIMIT_SECONDS = 0.05, 0.6
AGAIN_AT_ONCE = """
from locust import FastHttpUser, constant, task

SIMULATOR = "capacity"

class Asker(FastHttpUser):
    wait_time = constant(0)

    @task
    def ask(self):
        self.client.get("/")
"""
EXPERIMENT = f"""
locustfile: asker.py
simulator_arguments: [--law, lock, --service-seconds, "{SERVICE_SECONDS}", --outlier-seconds, "2"]
spawn_rate: 100
run_time: 4s
warm_up: 2s
workers: 1
slos:
  # A response takes the service times of all users, and a few ms of network and scheduling.
  - {{measure: p95_seconds, at_most: {LIMIT_SECONDS + SERVICE_SECONDS / 2}}}
search: {{start: 4, most: 64, compare_published: true, published_step: 4}}
"""


@pytest.mark.timeout(900)
def test_the_capacity_of_a_real_target_is_found(tmp_path: Path) -> None:
    (tmp_path / "asker.py").write_text(AGAIN_AT_ONCE)
    (tmp_path / "search.yml").write_text(EXPERIMENT)
    command = [sys.executable, "-m", "loadgen", "run", "--experiment", "search.yml", "--quiet"]
    finished = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=880, check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    print(finished.stdout)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    found = json.loads(next(tmp_path.glob("results/*/capacity.json")).read_text())
    expected = capacity("lock", SERVICE_SECONDS, 4, LIMIT_SECONDS)
    assert abs(found["low"] - expected) <= max(1, 0.05 * expected), found["sentence"]
    assert found["limited_by"] == "target"
    assert found["published"]["first_broke"] is not None
    assert next(tmp_path.glob("results/*/capacity.png")).stat().st_size > 10_000
