"""Running a scenario against a simulator, and comparing what both counted."""

import csv
from collections import Counter
from pathlib import Path

import requests

from tests.local.conftest import Run, Runner

Counts = Counter[tuple[str, str]]
"""Requests by method and name."""

LOOKS_BEFORE_A_RUN = {("GET", "/"), ("HEAD", "/"), ("GET", "(unknown)"), ("HEAD", "(unknown)")}


def start_scenario(loadgen: Runner, locustfile: str, url: str, *more: str) -> Run:
    """Start 20 users on 2 workers with results of their own; `more` options win."""
    return loadgen.start(
        *("--locustfile", locustfile, "--host", url, "--users", "20", "--spawn-rate", "20"),
        *("--workers", "2", "--run-time", "5s", *more),
        results=loadgen.tmp_path / f"results-{len(loadgen.runs)}",
    )


def ended(run: Run, exit_code: int = 0) -> Counts:
    """Wait for a run's end and exit code; return the requests in Locust's statistics."""
    code = run.wait()
    assert code == exit_code, run.output + run.logs()
    return locust_counts(run.directory)


def locust_counts(directory: Path) -> Counts:
    """Return the requests of each row of Locust's statistics."""
    rows = csv.DictReader((directory / "stats.csv").read_text().splitlines())
    return Counter(
        {
            (row["Type"], row["Name"]): int(row["Request Count"])
            for row in rows
            if row["Name"] != "Aggregated"
        }
    )


def target_counts(url: str, verify: str | bool = True) -> Counts:
    """Return the requests that a simulator has answered."""
    state = requests.get(f"{url}/_state.json", timeout=10, verify=verify).json()
    assert state["received"] == state["answered"]
    return Counter({(row["method"], row["name"]): row["answered"] for row in state["requests"]})


def assert_counts_agree(counted: Counts, target: Counts) -> None:
    """Compare by kind; the kit's own look at the target is the target's to count, not Locust's."""
    extra, lost = target - counted, counted - target
    assert not lost, f"Locust counted what the target did not answer: {lost}"
    assert set(extra) <= LOOKS_BEFORE_A_RUN, f"the target answered what nobody counted: {extra}"
    assert extra.total() <= 2
