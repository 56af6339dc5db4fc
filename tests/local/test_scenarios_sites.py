"""The DSpace and Django scenarios through the front door: no failures, and every count agrees."""

import csv
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import requests

from tests.certificates import make_certificate
from tests.local.conftest import PROJECT, Run, Runner
from tests.servers import simulator

SCENARIOS = [("dspace", "dspace"), ("dspace_submission", "dspace"), ("django_site", "django_site")]
Counts = Counter[tuple[str, str]]


def _locust_counts(run: Run) -> Counts:
    rows = csv.DictReader((run.directory / "stats.csv").read_text().splitlines())
    return Counter(
        {
            (row["Type"], row["Name"]): int(row["Request Count"])
            for row in rows
            if row["Name"] != "Aggregated"
        }
    )


def _target_counts(url: str, verify: str | bool) -> Counts:
    state = requests.get(f"{url}/_state.json", timeout=10, verify=verify).json()
    return Counter({(row["method"], row["name"]): row["answered"] for row in state["requests"]})


def _start(loadgen: Runner, url: str, locustfile: str, *more: str) -> Run:
    return loadgen.start(
        "--locustfile",
        str(PROJECT / "locustfiles" / f"{locustfile}.py"),
        *("--host", url, "--users", "20", "--spawn-rate", "10", "--run-time", "8s"),
        *("--workers", "2", *more),
        results=loadgen.tmp_path / locustfile,
    )


def _check(run: Run, url: str, verify: str | bool = True) -> None:
    code = run.wait()
    assert code == 0, run.output + run.logs()
    assert run.summary["failures"] == 0
    assert run.summary["requests"] > 100
    target, counted = _target_counts(url, verify), _locust_counts(run)
    # The kit's own look at the target before a run is the target's to count, not Locust's.
    extra = target - counted
    assert set(extra) <= {("GET", "/"), ("HEAD", "/")}, extra
    assert extra.total() <= 2
    assert not counted - target


def test_scenarios_run_without_failures_and_counts_agree(loadgen: Runner) -> None:
    with ExitStack() as stack:
        urls = [stack.enter_context(simulator(name)) for _, name in SCENARIOS]
        runs = [_start(loadgen, url, SCENARIOS[n][0]) for n, url in enumerate(urls)]
        for run, url in zip(runs, urls, strict=True):
            _check(run, url)


def test_scenarios_run_over_https(loadgen: Runner, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    with ExitStack() as stack:
        runs = []
        for locustfile, name in (SCENARIOS[0], SCENARIOS[2]):
            url = stack.enter_context(simulator(name, tls=(certificate, key)))
            runs.append((_start(loadgen, url, locustfile, "--insecure-target"), url))
        for run, url in runs:
            _check(run, url, str(certificate))
