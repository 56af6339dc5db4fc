"""The main job on one machine, through the command line."""

import csv
import os
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from tests.certificates import make_certificate
from tests.faults.record import everything
from tests.local.conftest import PROJECT, Run, Runner
from tests.ports import free_ports

QUICKSTART = """
from locust import HttpUser, task

class HelloWorldUser(HttpUser):
    @task
    def hello_world(self):
        self.client.get("/hello")
        self.client.get("/world")
"""


def sample_total(exposition: str, metric: str) -> float:
    """Add up every sample of a metric."""
    values = re.findall(rf"^{metric}(?:{{[^\n]*}})? (\S+)$", exposition, re.MULTILINE)
    return sum(map(float, values))


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text().splitlines()))


def csv_total(path: Path) -> int:
    return next(int(row["Request Count"]) for row in rows(path) if row["Name"] == "Aggregated")


@dataclass
class Seen:
    """A run that has passed, and what its ports said meanwhile."""

    run: Run
    page: bytes
    page_headers: Mapping[str, str]
    refused: list[int]
    listening: set[str]


@pytest.fixture(scope="module")
def seen(shared_loadgen: Runner) -> Seen:
    # The exporter's counters go on from run to run of a directory, and this one may be tried twice.
    results = shared_loadgen.tmp_path / f"results-{len(shared_loadgen.runs)}"
    options = ("--users", "20", "--spawn-rate", "20", "--run-time", "4s")
    run = shared_loadgen.start(*options, results=results)
    run.wait_for("web UI at")
    url = f"http://127.0.0.1:{run.web_port}/"
    with urllib.request.urlopen(url, timeout=10) as page:
        body, headers = page.read(), dict(page.headers)
    refused = [
        status_of(url + "stop", b"", Origin="http://evil.example"),
        status_of(url, None, Host="evil.example"),
    ]
    ports = {run.web_port, run.worker_port, run.exporter_port}
    listening = {
        connection.laddr.ip
        for pid in [*run.pids("master"), *run.pids("worker")]
        for connection in psutil.Process(pid).net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.port in ports
    }
    assert run.wait() == 0, run.output + run.logs()
    return Seen(run, body, headers, refused, listening)


def test_run_passes_and_every_count_agrees(seen: Seen) -> None:
    run, summary = seen.run, seen.run.summary
    assert summary["verdict"] == "passed"
    assert summary["requests"] > 20
    assert summary["failures"] == 0
    assert summary["workers"] == {"expected": os.cpu_count(), "seen": os.cpu_count(), "lost": 0}
    metrics = (run.directory / "metrics.prom").read_text()
    assert sample_total(metrics, "locust_requests_total") == everything(summary)
    assert csv_total(run.directory / "stats.csv") == everything(summary)
    assert sample_total(metrics, "locust_response_time_seconds_count") == everything(summary)
    assert 0 < summary["response_time_seconds"]["p50"] < 1


def test_last_scrape_is_clean_to_promtool(seen: Seen) -> None:
    subprocess.run([PROJECT / "tests" / "install-packages", "prometheus"], check=True)
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=(seen.run.directory / "metrics.prom").read_text(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


def test_run_leaves_every_file_and_no_secret_key(seen: Seen) -> None:
    run = seen.run
    files = {path.relative_to(run.directory).as_posix() for path in run.directory.rglob("*")}
    assert {
        "summary.json",
        "report.html",
        "locust.html",
        "stats.csv",
        "stats_history.csv",
        "failures.csv",
        "exceptions.csv",
        "junit.xml",
        "metrics.prom",
        "hosts/localhost/master.log",
        "hosts/localhost/worker-1.log",
        "hosts/localhost/exporter.log",
    } <= files
    assert not [name for name in files if "key" in name or name.startswith("locust_")]
    assert "secret-key" not in run.logs()


def test_progress_is_plain_lines_without_a_terminal(seen: Seen) -> None:
    run = seen.run
    assert "\x1b" not in run.output
    assert re.search(r"20/20 users  .* req/s  .* requests  0 failed  p50 ", run.output)
    assert f"PASSED  {run.directory.name}" in run.output
    assert "report.html" in run.output


def test_web_ui_answers_on_loopback_only_during_the_run(seen: Seen) -> None:
    assert b"Locust" in seen.page
    assert "Access-Control-Allow-Origin" not in seen.page_headers
    assert seen.refused == [403, 403]
    assert seen.listening == {"127.0.0.1"}


def test_plain_locustfile_from_locusts_documentation_runs(loadgen: Runner) -> None:
    (loadgen.tmp_path / "locustfile.py").write_text(QUICKSTART)

    code, run = loadgen.finish(
        "-f", "locustfile.py", "--users", "2", "--run-time", "2s", "--workers", "1"
    )

    # Without a wait time its one worker may well be saturated, and then the run says so.
    assert code in (0, 3), run.output + run.logs()
    names = {row["Name"] for row in rows(run.directory / "stats.csv")}
    assert {"/hello", "/world"} <= names


def test_package_with_neighbours_tags_and_user_classes_works_on_every_worker(
    loadgen: Runner,
) -> None:
    scenario = loadgen.tmp_path / "scenario"
    scenario.mkdir()
    (scenario / "neighbour.py").write_text("PATH = '/from-neighbour'\n")
    (scenario / "main.py").write_text(
        "from locust import HttpUser, constant, tag, task\n"
        "from neighbour import PATH\n"
        "class Chosen(HttpUser):\n"
        "    wait_time = constant(0.2)\n"
        "    @tag('wanted')\n"
        "    @task\n"
        "    def wanted(self): self.client.get(PATH)\n"
        "    @task\n"
        "    def unwanted(self): self.client.get('/untagged')\n"
        "class Other(HttpUser):\n"
        "    @task\n"
        "    def other(self): self.client.get('/other')\n"
    )

    code, run = loadgen.finish(
        *("-f", "scenario/main.py", "--tags", "wanted", "--user-classes", "Chosen"),
        *("--users", "4", "--run-time", "3s", "--workers", "2"),
    )

    assert code == 0, run.output + run.logs()
    names = {row["Name"] for row in rows(run.directory / "stats.csv")}
    assert names == {"/from-neighbour", "Aggregated"}
    assert run.summary["workers"]["seen"] == 2


def status_of(url: str, body: bytes | None, **headers: str) -> int:
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, data=body, headers=headers), timeout=10
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_web_ui_speaks_tls_when_a_certificate_is_given(loadgen: Runner) -> None:
    certificate, key = make_certificate(loadgen.tmp_path)
    run = loadgen.start(
        *("--users", "2", "--run-time", "100s", "--workers", "1"),
        *("--tls-cert", str(certificate), "--tls-key", str(key)),
    )
    run.wait_for("web UI at https")

    context = ssl.create_default_context(cafile=str(certificate))
    url = f"https://127.0.0.1:{run.web_port}/"
    with urllib.request.urlopen(url, timeout=10, context=context) as page:
        assert page.status == 200
    run.interrupt()
    assert run.wait() == 130, run.output


def test_make_hands_its_variables_over() -> None:
    shown = subprocess.run(
        ["make", "--dry-run", "run-distributed", "USERS=5", "HOST=http://a'b.example"],
        cwd=PROJECT,
        env={**os.environ, "MAKEFLAGS": "", "RUN_TIME": "7s"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout

    assert "--users '5'" in shown
    assert "--run-time '7s'" in shown
    assert r"--host 'http://a'\''b.example'" in shown


def test_a_run_whose_reader_has_gone_is_kept(loadgen: Runner) -> None:
    web, worker, exporter = free_ports(3)
    line = (
        f"{sys.executable} -m loadgen run --users 2 --run-time 1s --web-port {web}"
        f" --master-bind-port {worker} --exporter-port {exporter} 2>&1 | head -n 1"
    )
    run = loadgen.shell(f"bash -o pipefail -c '{line}'", loadgen.tmp_path)
    assert run.wait() == 0, run.output
    assert len(run.output.splitlines()) == 1
    assert run.summary["verdict"] == "passed"
