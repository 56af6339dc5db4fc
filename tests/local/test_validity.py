"""Each reason not to believe a run, provoked for real, through the command line."""

import csv
import os
import shutil
import textwrap
import urllib.request
from pathlib import Path

import pytest

from tests.faults.record import Outcome
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


def start(loadgen: Runner, locustfile: str, *arguments: str, prefix: tuple[str, ...] = ()) -> Run:
    number = len(loadgen.runs)
    (loadgen.tmp_path / f"spoiled{number}.py").write_text(locustfile)
    return loadgen.start(
        *("-f", f"spoiled{number}.py", "--workers", "1", *arguments),
        results=loadgen.tmp_path / f"results-{number}",
        prefix=prefix,
    )


def require_invalid(run: Run) -> None:
    code = run.wait()
    assert code == INVALID, run.output + run.logs()
    assert run.summary["verdict"] == "invalid"


def spoiled(body: str) -> str:
    return textwrap.dedent(HELLO) + "\ndef spoil(environment):\n" + textwrap.indent(body, "    ")


def sentences(run: Run, kind: str) -> str:
    summary = run.summary
    assert kind in summary["reason_kinds"], summary["reasons"]
    return str(summary["reasons"][summary["reason_kinds"].index(kind)])


BUSY = """
import contextlib, os, gevent
with contextlib.suppress(PermissionError):
    os.nice(-15)  # beside other tests
def burn():
    while True:
        sum(range(20000))
        gevent.sleep(0)
gevent.spawn(burn)
"""
LOSSY = """
client, sent = environment.runner.client, []
send = client.send
def lossy(message):
    if message.type == 'stats' and message.data['stats']:
        sent.append(message)
        if len(sent) == 2:
            return
    send(message)
client.send = lossy
"""
SHIFTED = """
import time
from loadgen.node.statistics import reporter
from types import SimpleNamespace
real = time.time
reporter.time = SimpleNamespace(time=lambda: real() + 3, monotonic=time.monotonic)
"""
OTHER_LOCUST = """
import locust
locust.__version__ = '2.0.0'
"""
FEW_DESCRIPTORS = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
"""
NARROW = """
ip link set lo up
echo '40000 40060' > /proc/sys/net/ipv4/ip_local_port_range
exec "$@"
"""


@pytest.mark.slow
@pytest.mark.fault("Load", "A load generator uses the whole of its CPU core.")
def test_a_saturated_generator(loadgen: Runner, outcome: Outcome) -> None:
    run = start(loadgen, spoiled(BUSY), "--users", "2", "--run-time", "6s")
    require_invalid(run)
    sentence = sentences(run, "generator_cpu")
    assert "of its core for" in sentence
    assert "add workers, lower the load" in sentence
    assert "Invalid." in (run.directory / "report.html").read_text()
    outcome(
        "verdict invalid: generator_cpu; the reason names the worker and the duration",
        summary=run.summary,
    )


@pytest.mark.fault(
    "Accounting",
    "A message with statistics is lost; a worker has a wrong clock and another version of Locust.",
)
def test_lost_samples_a_clock_apart_and_another_locust_are_each_named(
    loadgen: Runner, outcome: Outcome
) -> None:
    wrong = LOSSY + SHIFTED + OTHER_LOCUST
    run = start(loadgen, spoiled(wrong), "--users", "5", "--run-time", "7s")
    require_invalid(run)
    assert "the counts must match exactly" in sentences(run, "lost_samples")
    assert "s ahead of the master's, more than the 0.5 s allowed" in sentences(run, "clock_offset")
    assert "ran Locust 2.0.0, but every node has to run" in sentences(run, "mismatch")
    assert set(run.summary["reason_kinds"]) == {"lost_samples", "clock_offset", "mismatch"}
    outcome(
        "verdict invalid: lost_samples, clock_offset, mismatch; each reason contains the numbers",
        summary=run.summary,
    )


@pytest.mark.slow
@pytest.mark.fault(
    "Resources",
    "A worker has no free file descriptors, and it can't send requests at the given arrival rate.",
)
def test_descriptors_that_ran_out_and_arrivals_that_were_not_sent(
    loadgen: Runner, outcome: Outcome
) -> None:
    many = ("--users", "60", "--spawn-rate", "60", "--run-time", "3s")
    without = start(loadgen, spoiled(FEW_DESCRIPTORS), *many)
    arrivals = "from locustfiles.alarm_arrivals import *\nSIMULATOR = 'alarm_receiver'\n"
    (loadgen.tmp_path / "rate.yml").write_text(
        "arrival_rate: 50\nrun_time: 4s\nstop_timeout: 1s\n"
        "environment: {ARRIVAL_MAX_IN_FLIGHT: '5', ARRIVAL_SPACING: even}\n"
    )
    late = start(loadgen, arrivals, "--experiment", "rate.yml")

    require_invalid(late)
    assert "arrivals were not sent, because too many were still in progress" in sentences(
        late, "arrival_rate"
    )
    require_invalid(without)
    sentence = sentences(without, "exhausted")
    assert "a generator ran out of file descriptors" in sentence
    assert "(GET /hello) failed before they reached the target" in sentence
    outcome(
        "verdict invalid: exhausted, arrival_rate; each failed request is counted",
        summary=without.summary,
    )


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="a network namespace of its own needs root")
@pytest.mark.fault("Resources", "A worker has no free local ports.")
def test_ports_that_ran_out(loadgen: Runner, tmp_path: Path, outcome: Outcome) -> None:
    unshare = shutil.which("unshare")
    assert unshare, "unshare comes with util-linux"
    narrow = tmp_path / "narrow.sh"
    narrow.write_text(NARROW)
    run = start(
        loadgen,
        textwrap.dedent(HELLO) + "\nHelloUser.concurrency = 200\n\ndef spoil(_):\n    pass\n",
        *("--users", "150", "--spawn-rate", "150", "--run-time", "3s"),
        prefix=(unshare, "--net", "sh", str(narrow)),
    )
    require_invalid(run)
    assert "a generator ran out of local ports" in sentences(run, "exhausted")
    outcome("verdict invalid: exhausted; each failed request is counted", summary=run.summary)


# --- how a run ends ---------------------------------------------------------------------------
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
WORKER_ASKS = """
@events.test_stop.add_listener
def ask(environment, **_):
    if not isinstance(environment.runner, MasterRunner):
        environment.process_exit_code = 7

@events.quitting.add_listener
def judge_no_statistics(environment, **_):
    if environment.stats.total.num_requests == 0:
        environment.process_exit_code = 8
"""
MASTER_LEAVES = """
import os

@events.quitting.add_listener
def leave(environment, **_):
    if isinstance(environment.runner, MasterRunner):
        os._exit(9)
"""
WORKERS_FAIL_AT_THE_END = """
@events.quitting.add_listener
def fail(environment, **_):
    if not isinstance(environment.runner, MasterRunner):
        raise ValueError("no disk for my file")

@events.quit.add_listener
def go_on(**_):
    print("the others are called")
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
    assert "exit code 42 (environment.process_exit_code" in run.summary["reasons"][0]
    assert 2 <= run.summary["measured_seconds"] <= 10, run.summary


def test_an_exit_code_that_a_worker_asks_for_counts_unless_it_judges_empty_statistics(
    loadgen: Runner, tmp_path: Path
) -> None:
    code, run = loadgen.finish(*options(tmp_path, WORKER_ASKS, "2s"))
    assert code in (1, 3), run.output
    (said,) = (one for one in run.summary["reasons"] if "exit code" in one)
    assert "exit code 7" in said
    assert "see hosts/localhost/worker-1.log" in said


def test_a_master_that_leaves_at_once_leaves_whole_reports_and_its_exit_code(
    loadgen: Runner, tmp_path: Path
) -> None:
    code, run = loadgen.finish(*options(tmp_path, MASTER_LEAVES, "2s"))
    assert code in (1, 3), run.output
    assert any("exit code 9" in one for one in run.summary["reasons"]), run.output
    rows = list(csv.DictReader((run.directory / "stats.csv").read_text().splitlines()))
    counted = run.summary["requests"] + run.summary["after_stop"]["requests"]
    assert int(rows[-1]["Request Count"]) == counted


def test_what_a_worker_raises_while_it_quits_is_said_and_nothing_is_lost(
    loadgen: Runner, tmp_path: Path
) -> None:
    code, run = loadgen.finish(*options(tmp_path, WORKERS_FAIL_AT_THE_END, "2s"))
    assert code == 3, run.output
    assert any(
        "a listener of the locustfile raised ValueError: no disk for my file; see "
        "hosts/localhost/worker-1.log" in one
        for one in run.summary["reasons"]
    )
    assert "exceptions" in run.summary["reason_kinds"]
    rows = list(csv.DictReader((run.directory / "stats.csv").read_text().splitlines()))
    counted = run.summary["requests"] + run.summary["after_stop"]["requests"]
    assert int(rows[-1]["Request Count"]) == counted > 0
    assert run.logs().count("the others are called") == 2


def test_a_locustfile_that_ends_the_run_is_named(loadgen: Runner, tmp_path: Path) -> None:
    code, run = loadgen.finish(*options(tmp_path, MASTER_QUITS))
    assert code == 0, run.output
    assert any("ended by the locustfile" in one for one in run.summary["reasons"])


def test_a_task_that_quits_its_worker_is_named(loadgen: Runner, tmp_path: Path) -> None:
    code, run = loadgen.finish(*options(tmp_path, TASK_QUITS, "6s"))
    assert any("every worker quit" in one for one in run.summary["reasons"]), (code, run.output)
    assert any(" of 6 s" in one for one in run.summary["reasons"])
