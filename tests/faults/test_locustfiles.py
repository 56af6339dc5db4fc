"""Locustfiles that do what they must not: the run says so, and its counts stay true."""

import os
import re
import signal
import time
import urllib.request

import pytest

from tests.faults.driving import Target, locustfile, reasons, start
from tests.faults.record import Outcome, everything
from tests.local.conftest import Run, Runner
from tests.waiting import await_

PART = "Locustfiles"
OPTIONS = ("--users", "8", "--spawn-rate", "8", "--workers", "2", "--run-time", "8s")


def finish(loadgen: Runner, target: Target, addition: str) -> Run:
    run = loadgen.start(*OPTIONS, "--host", target.url, *locustfile(loadgen, addition))
    run.wait()
    return run


def brief(run: Run) -> str:
    """Name the kinds of reasons."""
    return ", ".join(dict.fromkeys(run.summary["reason_kinds"]))


def lost(run: Run, target: Target) -> int:
    return target.received - everything(run.summary)


def megabytes(run: Run) -> float:
    """Return the largest worker's memory, as the exporter tells it."""
    with urllib.request.urlopen(f"http://127.0.0.1:{run.exporter_port}/metrics") as answer:
        text = answer.read().decode()
    found = re.findall(r"^locust_worker_memory_bytes{.*} (.*)$", text, re.MULTILINE)
    return max(map(float, found), default=0) / 1e6


@pytest.mark.fault(PART, "A worker leaks memory until its limited address space is used up.")
def test_out_of_memory(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    leak = """
        import resource
        held = []
        from locust.runners import WorkerRunner

        @events.test_start.add_listener
        def limit(environment, **_):
            if isinstance(environment.runner, WorkerRunner):
                used = int(open("/proc/self/statm").read().split()[0]) * 4096
                resource.setrlimit(resource.RLIMIT_AS, (used + (100 << 20), used + (100 << 20)))

        def leak(self):
            self.client.get("/leak")
            held.append(bytes([1]) * (1 << 20))
        HelloUser.tasks = [leak]
    """
    run = finish(loadgen, target, leak)
    assert "MemoryError" in (run.directory / "exceptions.csv").read_text() + run.logs()
    assert run.summary["verdict"] != "passed", run.output
    outcome(
        f"verdict {run.summary['verdict']}: {brief(run)}",
        summary=run.summary,
        received=target.received,
    )


@pytest.mark.fault(PART, "A task leaks 2 MB of memory with each request.")
def test_leak(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    leak = """
        held = []
        def leak(self):
            self.client.get("/leak")
            held.append(bytes([1]) * (2 << 20))
        HelloUser.tasks = [leak]
        HelloUser.wait_time = constant_pacing(0.5)
    """
    run = start(loadgen, *OPTIONS, *locustfile(loadgen, leak), target=target)
    await_(lambda: megabytes(run) > 150, "growth of a worker in the metrics")
    run.wait()
    assert run.summary["verdict"] == "passed", run.output
    assert lost(run, target) == 0
    outcome(
        "verdict passed; the metrics show that the worker's memory grows",
        summary=run.summary,
        received=target.received,
    )


@pytest.mark.fault(PART, "A task blocks the event loop for 2 s (time.sleep).")
def test_blocked_loop(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    block = """
        def block(self):
            self.client.get("/block")
            counted.append(1)
            if len(counted) == 100:
                from gevent import monkey
                monkey.get_original("time", "sleep")(2)
        counted = []
        HelloUser.tasks = [block]
    """
    run = finish(loadgen, target, block)
    # A worker that sleeps when it is asked to end is killed, which is an error beside.
    assert run.summary["verdict"] in ("invalid", "error"), run.output + run.logs()
    assert "was blocked for" in reasons(run), run.output + run.logs()
    outcome(
        f"verdict {run.summary['verdict']}: {brief(run)}",
        summary=run.summary,
        received=target.received,
    )


@pytest.mark.fault(
    PART, "A task blocks the event loop for 6 s, which is longer than the heartbeat timeout."
)
def test_long_blocked_loop(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    block = """
        def block(self):
            self.client.get("/block")
            if not blocked:
                blocked.append(1)
                from gevent import monkey
                monkey.get_original("time", "sleep")(6)
        blocked = []
        HelloUser.tasks = [block]
    """
    run = finish(loadgen, target, block)
    assert run.summary["verdict"] in ("invalid", "error"), run.output + run.logs()
    outcome(
        f"verdict {run.summary['verdict']}: {brief(run)}",
        summary=run.summary,
        received=target.received,
    )


@pytest.mark.fault(PART, "Every user raises an exception in on_start.")
def test_on_start_raises(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    raises = """
        def on_start(self):
            raise ValueError("no account")
        HelloUser.on_start = on_start
    """
    run = finish(loadgen, target, raises)
    assert run.summary["verdict"] != "passed", run.output
    outcome(f"verdict {run.summary['verdict']}: {brief(run)}", summary=run.summary)


@pytest.mark.fault(PART, "Every second user raises an exception in on_start.")
def test_some_on_start_raise(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    raises = """
        counted = []
        def on_start(self):
            counted.append(1)
            if len(counted) % 2:
                raise ValueError("no account")
        HelloUser.on_start = on_start
    """
    run = finish(loadgen, target, raises)
    assert run.summary["verdict"] == "invalid", run.output
    outcome(
        f"verdict invalid: {brief(run)}",
        summary=run.summary,
        received=target.received,
    )


@pytest.mark.fault(PART, "A task calls sys.exit.")
def test_exit(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    leave = """
        def leave(self):
            self.client.get("/leave")
            if time.monotonic() - began > 4:
                sys.exit(7)
        began = time.monotonic()
        HelloUser.tasks = [leave]
    """
    run = finish(loadgen, target, leave)
    assert run.summary["verdict"] in ("invalid", "error"), run.output
    outcome(
        f"verdict {run.summary['verdict']}: {brief(run)}",
        summary=run.summary,
        received=target.received,
    )


@pytest.mark.fault(PART, "Every task raises a different exception.")
def test_task_raises(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    broken = """
        def broken(self):
            self.client.get("/broken")
            raise KeyError("a bug")
        HelloUser.tasks = [broken]
    """
    run = finish(loadgen, target, broken)
    assert run.summary["verdict"] == "invalid", run.output
    assert "exceptions ended tasks of the locustfile, most often 'a bug'" in reasons(run)
    outcome(
        f"verdict {run.summary['verdict']}: {brief(run)}",
        summary=run.summary,
        received=target.received,
    )


@pytest.mark.fault(PART, "A listener of the event test_stop blocks a worker for 40 s.")
def test_blocked_end(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    block = """
        @events.test_stop.add_listener
        def block(environment, **_):
            from locust.runners import WorkerRunner
            if isinstance(environment.runner, WorkerRunner):
                from gevent import monkey
                monkey.get_original("time", "sleep")(40)
    """
    run = finish(loadgen, target, block)
    assert run.summary["verdict"] in ("invalid", "error"), run.output
    outcome(
        f"verdict {run.summary['verdict']}: {brief(run)}",
        summary=run.summary,
        received=target.received,
    )


@pytest.mark.fault(PART, "The target freezes under load (SIGSTOP) and never answers again.")
def test_frozen_target(loadgen: Runner, target: Target, outcome: Outcome) -> None:

    run = start(loadgen, *OPTIONS, *locustfile(loadgen), target=target)
    pid = target.pid
    os.kill(pid, signal.SIGSTOP)
    since = time.monotonic()
    try:
        run.wait()
    finally:
        os.kill(pid, signal.SIGCONT)
    assert run.summary["verdict"] == "invalid", run.output
    outcome(
        f"verdict {run.summary['verdict']}: {brief(run)}",
        recover_seconds=time.monotonic() - since,
        summary=run.summary,
        received=target.received,
    )
