"""A run says who ended it, after how long; what people end early is interrupted."""

import urllib.request
from pathlib import Path

from tests.local.conftest import Runner

USER = """
import gevent
from locust import HttpUser, LoadTestShape, constant, events, task
from locust.runners import MasterRunner

class Visitor(HttpUser):
    host = "http://127.0.0.1:1"
    wait_time = constant(0.1)
    @task
    def visit(self):
        self.environment.events.request.fire(request_type="GET", name="/", response_time=1,
            response_length=1, exception=None, context={})
"""
ENDLESS_SHAPE = """
class Endless(LoadTestShape):
    def tick(self):
        return 2, 2

@events.quitting.add_listener
def ask(environment, **_):
    environment.process_exit_code = 42
"""
MASTER_QUITS = """
@events.test_start.add_listener
def plan_the_end(environment, **_):
    if isinstance(environment.runner, MasterRunner):
        gevent.spawn_later(2, environment.runner.quit)
"""
TASK_QUITS = """
class Leaver(Visitor):
    @task
    def leave(self):
        gevent.sleep(1)
        self.environment.runner.quit()
"""


def options(tmp_path: Path, more: str, run_time: str = "30s") -> list[str]:
    locustfile = tmp_path / "locustfile.py"
    locustfile.write_text(USER + more)
    words = ["--locustfile", str(locustfile), "--workers", "1", "--users", "2"]
    return [*words, "--run-time", run_time, "--skip-target-check"]


def test_a_stop_in_the_web_ui_interrupts_the_run(loadgen: Runner, tmp_path: Path) -> None:
    run = loadgen.start(*options(tmp_path, ""))
    run.wait_for("Loading")
    url = f"http://127.0.0.1:{run.web_port}/stop"
    with urllib.request.urlopen(url, data=b"", timeout=20) as answer:
        assert answer.status == 200
    assert run.wait() == 130, run.output
    assert run.summary["verdict"] == "interrupted"
    assert any("stopped from the web UI after" in one for one in run.summary["reasons"])
    assert any(" of 30 s" in one for one in run.summary["reasons"])


def test_the_run_time_ends_an_endless_shape_and_the_exit_code_counts(
    loadgen: Runner, tmp_path: Path
) -> None:
    code, run = loadgen.finish(*options(tmp_path, ENDLESS_SHAPE, "3s"))
    assert code == 1, run.output
    assert run.summary["verdict"] == "failed"
    assert "exit code 42 (environment.process_exit_code)" in run.summary["reasons"][0]
    assert 2 <= run.summary["measured_seconds"] <= 5, run.summary


def test_a_locustfile_that_ends_the_run_is_named(loadgen: Runner, tmp_path: Path) -> None:
    code, run = loadgen.finish(*options(tmp_path, MASTER_QUITS))
    assert code == 0, run.output
    assert any("ended by the locustfile" in one for one in run.summary["reasons"])


def test_a_task_that_quits_its_worker_is_named(loadgen: Runner, tmp_path: Path) -> None:
    code, run = loadgen.finish(*options(tmp_path, TASK_QUITS, "6s"))
    assert any("every worker quit" in one for one in run.summary["reasons"]), (code, run.output)
    assert any(" of 6 s" in one for one in run.summary["reasons"])
