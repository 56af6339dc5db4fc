"""What goes wrong while a run is under way: it is said, judged, and nothing stays behind."""

import os
import signal
import time

import psutil
import pytest

from tests.faults.record import Outcome
from tests.local.conftest import Run, Runner

PART = "Processes"
LONG = ("--users", "4", "--spawn-rate", "4", "--run-time", "60s", "--workers", "2")


def start_loading(loadgen: Runner, *arguments: str) -> Run:
    run = loadgen.start(*LONG, *arguments)
    run.wait_for("web UI at")
    run.wait_for("[1-9][0-9]* requests")
    return run


@pytest.mark.fault(PART, "One of two workers is killed (SIGKILL).")
def test_killed_worker_makes_the_run_invalid(loadgen: Runner, outcome: Outcome) -> None:
    run = loadgen.start("--users", "4", "--run-time", "10s", "--workers", "2")
    run.wait_for("Loading")
    os.kill(run.pids("worker")[0], signal.SIGKILL)
    began = time.monotonic()
    run.wait_for("was ended by SIGKILL")
    noticed = time.monotonic() - began

    assert run.wait() == 3, run.output
    assert run.summary["verdict"] == "invalid"
    assert run.summary["requests"] > 0
    outcome(
        "verdict invalid: worker-N was ended by SIGKILL",
        notice_seconds=noticed,
        summary=run.summary,
    )


@pytest.mark.fault(PART, "The master is killed (SIGKILL).")
def test_killed_master_is_an_error_and_keeps_what_was_measured(
    loadgen: Runner, outcome: Outcome
) -> None:
    run = start_loading(loadgen)
    os.kill(run.pids("master")[0], signal.SIGKILL)
    began = time.monotonic()

    assert run.wait() == 4, run.output
    over = time.monotonic() - began
    assert "master was ended by SIGKILL" in run.output
    assert run.summary["requests"] > 0
    assert (run.directory / "report.html").exists()
    assert (run.directory / "metrics.prom").exists()
    outcome(
        "verdict error; the results up to the fault are kept",
        recover_seconds=over,
        summary=run.summary,
    )


def test_ctrl_c_stops_gracefully_and_keeps_results(loadgen: Runner) -> None:
    run = start_loading(loadgen)
    run.interrupt()

    assert run.wait() == 130, run.output
    assert run.summary["verdict"] == "interrupted"
    assert run.summary["requests"] > 0
    assert (run.directory / "locust.html").exists()


def test_sigterm_does_what_ctrl_c_does(loadgen: Runner) -> None:
    run = start_loading(loadgen)
    run.interrupt(signal.SIGTERM)

    assert run.wait() == 130, run.output
    assert run.summary["verdict"] == "interrupted"


def test_second_ctrl_c_ends_at_once(loadgen: Runner) -> None:
    (loadgen.tmp_path / "slow.py").write_text(
        "import time\n"
        "from locust import HttpUser, task\n"
        "class Slow(HttpUser):\n"
        "    @task\n"
        "    def ask(self):\n"
        "        self.client.get('/')\n"
        "        time.sleep(40)\n"
    )
    run = loadgen.start(*LONG, "-f", "slow.py", "--stop-timeout", "50s")
    run.wait_for("web UI at")
    run.wait_for("[1-9][0-9]* requests")
    run.interrupt()
    run.wait_for("Stopping")
    began = time.monotonic()
    run.interrupt()

    assert run.wait() == 130, run.output
    assert time.monotonic() - began < 30
    assert run.summary["requests"] > 0


def test_ctrl_c_before_the_load_begins_leaves_nothing(loadgen: Runner) -> None:
    run = loadgen.start(*LONG)
    run.wait_for("starting 2 workers")
    run.interrupt()

    assert run.wait() == 130, run.output


@pytest.mark.fault(PART, "The loadgen process on one machine is killed (SIGKILL).")
def test_killed_operations_take_their_processes_along(loadgen: Runner, outcome: Outcome) -> None:
    run = start_loading(loadgen)
    children = psutil.Process(run.process.pid).children(recursive=True)
    run.process.kill()
    began = time.monotonic()
    run.wait()

    _, alive = psutil.wait_procs(children, timeout=60)
    over = time.monotonic() - began
    assert not alive
    assert list(loadgen.temporary.iterdir()), "the kill came too early to show anything"

    code, following = loadgen.finish("--users", "1", "--run-time", "2s", "--workers", "1")

    assert code == 0, following.output
    outcome(
        "Every process ends; the next run passes and removes the temporary files.",
        recover_seconds=over,
    )
    # The fixture sees that the next run swept up what the killed one left.


def test_next_run_works_after_a_kill(loadgen: Runner) -> None:
    run = start_loading(loadgen)
    os.kill(run.pids("master")[0], signal.SIGKILL)
    assert run.wait() == 4

    code, following = loadgen.finish(
        "--users", "1", "--run-time", "2s", "--workers", "1", results=run.results
    )

    assert code == 0, following.output
