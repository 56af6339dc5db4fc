"""The plugin beside plain Locust: one process, or a master and a worker, started as anyone does."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from loadgen.watch.scrape import Scrape, read
from loadgen.watch.stream import fetch
from tests.monitoring.cluster import ROOT
from tests.ports import free_port
from tests.waiting import await_

PLUGIN = ROOT / "loadgen_exporter_plugin.py"
PLAIN = """
from locust import User, constant_throughput, task

class Visitor(User):
    host = "http://user:secret@shop.test"
    wait_time = constant_throughput(20)

    @task
    def page(self):
        fire = self.environment.events.request.fire
        fire(request_type="GET", name="/", response_time=12.0, response_length=100)
        fire(request_type="GET", name="/bad", response_time=7.0, response_length=None,
             exception=ValueError("no"))
"""
OLD_NAMES = (
    *("running", "users", "workers_count", "workers_running_count", "workers_hatching_count"),
    *("workers_missing_count", "requests_fail_ratio", "up", "errors", "worker_detail"),
    "requests_current_response_time_percentile_50",
    "requests_current_response_time_percentile_95",
    *("requests_num_requests", "requests_num_failures", "requests_avg_response_time"),
    *("requests_min_response_time", "requests_max_response_time", "requests_current_rps"),
    *("requests_median_response_time", "requests_current_fail_per_sec"),
    "requests_avg_content_length",
)
"""What Grafana.com's dashboard 11985 asks of ContainerSolutions/locust_exporter."""


@contextmanager
def locust(directory: Path, *roles: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """Run Locust processes; yields the metrics' address and the first one's log."""
    (directory / "mine.py").write_text(PLAIN)
    listen = f"127.0.0.1:{free_port()}"
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "LOADGEN_EXPORTER_LISTEN": listen,
        "LOADGEN_EXPORTER_OPTIONS": "--compatible-names",
    }
    log = directory / "locust0.log"
    running = []
    try:
        for number, role in enumerate(roles):
            command = [sys.executable, "-m", "locust", "-f", f"{PLUGIN},mine.py", *role]
            with (directory / f"locust{number}.log").open("wb") as output:
                running.append(
                    subprocess.Popen(
                        command, cwd=directory, env=environment, stdout=output, stderr=output
                    )
                )
        yield f"http://{listen}/metrics", log
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(20)


def scraped(url: str) -> Scrape | None:
    try:
        return read(fetch(url, None).decode(), 0.0)
    except OSError:
        return None


def with_load(url: str) -> Scrape | None:
    scrape = scraped(url)
    return scrape if scrape and scrape.requests.get(("GET", "/"), 0) > 10 else None


@pytest.mark.parametrize("roles", ["one process", "master and worker"])
def test_plain_locust_has_the_kits_metrics_and_the_old_names(tmp_path: Path, roles: str) -> None:
    load = ("--headless", "--users", "2", "--spawn-rate", "2", "--run-time", "60s")
    port = str(free_port())
    several = (
        ("--master", "--master-bind-port", port, "--expect-workers", "1", *load),
        ("--worker", "--master-port", port),
    )
    with locust(tmp_path, *((load,) if roles == "one process" else several)) as (url, log):
        try:
            scrape = await_(lambda: with_load(url), "load in the metrics", 40.0)
        except AssertionError as error:
            raise AssertionError(log.read_text()) from error
        text = fetch(url, None).decode()
    assert scrape is not None
    assert scrape.up
    assert scrape.run["host"] == "http://shop.test"
    assert scrape.run["locustfile"] == "mine.py"
    assert scrape.run["run_id"].startswith("locust-")
    assert scrape.failures["GET", "/bad"] == scrape.requests["GET", "/bad"] > 0
    assert scrape.quantiles["GET", "/"]["0.95"] == 0.012
    assert len(scrape.workers) == 1
    for name in OLD_NAMES:
        assert f"\nlocust_{name}" in text, name
    assert 'locust_requests_num_requests{method="",name="Aggregated"}' in text
    peak = f'locust_run_requests_per_second_peak{{run_id="{scrape.run["run_id"]}"}} '
    assert float(text.partition(peak)[2].partition("\n")[0]) > 1
    assert "Traceback" not in log.read_text()
