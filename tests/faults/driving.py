"""Runs that are broken on purpose: what they have in common."""

import contextlib
import json
import os
import re
import signal
import textwrap
import time
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from tests.local.conftest import Run, Runner

# The look at the target before a run.
TARGET_CHECKS = 1
USER = """
    import os, sys, time
    from locust import FastHttpUser, constant_pacing, events, task

    class HelloUser(FastHttpUser):
        wait_time = constant_pacing(0.05)

        @task
        def hello(self):
            self.client.get("/hello")
"""


@dataclass(frozen=True)
class Target:
    """A target whose own count of requests stands against the run's."""

    url: str

    @property
    def received(self) -> int:
        """Requests of the run that reached it."""
        with urllib.request.urlopen(f"{self.url}/_state.json", timeout=10) as answer:
            return int(json.load(answer)["received"]) - TARGET_CHECKS

    @property
    def pid(self) -> int:
        port = int(self.url.rpartition(":")[2])
        for held in psutil.net_connections("tcp"):
            if held.laddr and held.laddr.port == port and held.status == psutil.CONN_LISTEN:
                return held.pid or 0
        raise AssertionError(f"nobody listens on {port}")


def locustfile(loadgen: Runner, addition: str = "", user: str = USER) -> tuple[str, str]:
    """Write a locustfile into the test's directory; return the option that names it."""
    text = textwrap.dedent(user) + textwrap.dedent(addition)
    (loadgen.tmp_path / "broken.py").write_text(text)
    return ("-f", "broken.py")


def start(loadgen: Runner, *options: str, target: Target | None = None) -> Run:
    """Start a run; return when its load has begun and requests have been counted."""
    host = ("--host", target.url) if target else ()
    run = loadgen.start(*options, *host)
    run.wait_for("Loading")
    run.wait_for("[1-9][0-9]* requests")
    return run


def send(number: signal.Signals, pids: Iterable[int]) -> float:
    """Send a signal to processes; return the moment."""
    for pid in pids:
        os.kill(pid, number)
    return time.monotonic()


def exporters(run: Run) -> list[int]:
    """Return the process ids of its exporters; a child that is just ending is none."""
    found = []
    for child in psutil.Process(run.process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if "exporter" in child.cmdline():
                found.append(child.pid)
    return found


def seconds_until(run: Run, pattern: str, since: float) -> float:
    """Return how long after `since` the output matches, also when it does so at the end."""
    deadline = time.monotonic() + 60
    while not re.search(pattern, run.output):
        assert time.monotonic() < deadline, f"no {pattern!r}:\n{run.output}"
        if run.process.poll() is not None:
            run.wait()
            assert re.search(pattern, run.output), f"no {pattern!r}:\n{run.output}"
        time.sleep(0.05)
    return time.monotonic() - since


def reasons(run: Run) -> str:
    return "\n".join(run.summary["reasons"])
