"""Each reason not to believe a run, provoked for real, through the command line."""

import os
import shutil
import textwrap
from pathlib import Path

import pytest

from tests.local.conftest import Run, Runner

INVALID = 3
HELLO = """
    from locust import FastHttpUser, constant_pacing, events, task
    from locust.runners import WorkerRunner

    SIMULATOR = "hello"

    class HelloUser(FastHttpUser):
        wait_time = constant_pacing(0.1)

        @task
        def hello(self):
            self.client.get("/hello")

    @events.init.add_listener
    def on_init(environment, **_):
        if isinstance(environment.runner, WorkerRunner):
            spoil(environment)
"""


def invalid(loadgen: Runner, locustfile: str, *arguments: str, prefix: tuple[str, ...] = ()) -> Run:
    (loadgen.tmp_path / "spoiled.py").write_text(locustfile)
    run = loadgen.start("-f", "spoiled.py", "--workers", "1", *arguments, prefix=prefix)
    code = run.wait()
    assert code == INVALID, run.output + run.logs()
    assert run.summary["verdict"] == "invalid"
    return run


def spoiled(body: str) -> str:
    return textwrap.dedent(HELLO) + "\ndef spoil(environment):\n" + textwrap.indent(body, "    ")


def sentences(run: Run, kind: str) -> str:
    summary = run.summary
    assert kind in summary["reason_kinds"], summary["reasons"]
    return str(summary["reasons"][summary["reason_kinds"].index(kind)])


def test_a_saturated_generator(loadgen: Runner) -> None:
    busy = (
        "import contextlib, os, gevent\n"
        "with contextlib.suppress(PermissionError):\n    os.nice(-15)  # beside other tests\n"
        "def burn():\n    while True:\n        sum(range(20000))\n        gevent.sleep(0)\n"
        "gevent.spawn(burn)\n"
    )
    run = invalid(loadgen, spoiled(busy), "--users", "2", "--run-time", "7s")
    sentence = sentences(run, "generator_cpu")
    assert "of its core for" in sentence
    assert "add workers or lower the load" in sentence
    assert "Invalid." in (run.directory / "report.html").read_text()


def test_samples_that_were_lost_on_the_way(loadgen: Runner) -> None:
    lose = (
        "client, sent = environment.runner.client, []\n"
        "send = client.send\n"
        "def lossy(message):\n"
        "    if message.type == 'stats' and message.data['stats']:\n"
        "        sent.append(message)\n"
        "        if len(sent) == 2:\n"
        "            return\n"
        "    send(message)\n"
        "client.send = lossy\n"
    )
    run = invalid(loadgen, spoiled(lose), "--users", "5", "--run-time", "3s")
    assert "differ, none may" in sentences(run, "lost_samples")


def test_a_clock_that_is_apart(loadgen: Runner) -> None:
    shift = (
        "import time\nfrom exporter import reporter\n"
        "from types import SimpleNamespace\n"
        "real = time.time\n"
        "reporter.time = SimpleNamespace(time=lambda: real() + 3, monotonic=time.monotonic)\n"
    )
    run = invalid(loadgen, spoiled(shift), "--users", "2", "--run-time", "7s")
    assert "s ahead of the master's, more than the 0.5 s allowed" in sentences(run, "clock_offset")


def test_a_worker_with_another_locust(loadgen: Runner) -> None:
    other = "import locust\nlocust.__version__ = '2.0.0'\n"
    run = invalid(loadgen, spoiled(other), "--users", "2", "--run-time", "2s")
    assert "ran Locust 2.0.0, but every node has to run" in sentences(run, "mismatch")


def test_descriptors_that_ran_out(loadgen: Runner) -> None:
    limit = "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))\n"
    run = invalid(
        loadgen, spoiled(limit), "--users", "60", "--spawn-rate", "60", "--run-time", "3s"
    )
    sentence = sentences(run, "exhausted")
    assert "a generator ran out of file descriptors" in sentence
    assert "(GET /hello) failed before they reached the target" in sentence


@pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace of its own needs root")
def test_ports_that_ran_out(loadgen: Runner, tmp_path: Path) -> None:
    unshare = shutil.which("unshare")
    assert unshare, "unshare comes with util-linux"
    narrow = tmp_path / "narrow.sh"
    narrow.write_text(
        "ip link set lo up\n"
        "echo '40000 40060' > /proc/sys/net/ipv4/ip_local_port_range\n"
        'exec "$@"\n'
    )
    run = invalid(
        loadgen,
        textwrap.dedent(HELLO) + "\nHelloUser.concurrency = 200\n\ndef spoil(_):\n    pass\n",
        *("--users", "150", "--spawn-rate", "150", "--run-time", "3s"),
        prefix=(unshare, "--net", "sh", str(narrow)),
    )
    assert "a generator ran out of local ports" in sentences(run, "exhausted")


def test_an_arrival_rate_that_was_not_reached(loadgen: Runner) -> None:
    arrivals = "from locustfiles.alarm_arrivals import *\nSIMULATOR = 'alarm_receiver'\n"
    (loadgen.tmp_path / "rate.yml").write_text(
        "locustfile: spoiled.py\narrival_rate: 50\nrun_time: 4s\nstop_timeout: 1s\n"
        "environment: {ARRIVAL_MAX_IN_FLIGHT: '5', ARRIVAL_SPACING: even}\n"
    )
    run = invalid(loadgen, arrivals, "--experiment", "rate.yml")
    assert "arrivals were not sent, as too many were in flight" in sentences(run, "arrival_rate")
