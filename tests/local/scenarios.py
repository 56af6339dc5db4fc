"""Running a scenario against a simulator, and comparing what both counted."""

import csv
from pathlib import Path

import requests
from starlette.types import ASGIApp

from tests.local.conftest import Run, Runner
from tests.servers import serving

Counts = dict[tuple[str, str], int]


def run_scenario(
    loadgen: Runner,
    locustfile: str,
    app: ASGIApp,
    *arguments: str,
    run_time: str = "20s",
    exit_code: int = 0,
) -> tuple[Run, Counts]:
    """Run 20 users on 2 workers; return the run, and the target's answers by method and name."""
    with serving(app) as url:
        code, run = loadgen.finish(
            *("--locustfile", locustfile, "--host", url),
            *("--users", "20", "--spawn-rate", "20", "--workers", "2", "--run-time", run_time),
            *arguments,
        )
        state = requests.get(f"{url}/_state.json", timeout=10).json()
    assert code == exit_code, run.output + run.logs()
    assert state["received"] == state["answered"]
    return run, {(row["method"], row["name"]): row["answered"] for row in state["requests"]}


def locust_counts(directory: Path) -> Counts:
    """Return the requests of each row of Locust's statistics."""
    rows = list(csv.DictReader((directory / "stats.csv").read_text().splitlines()))
    return {
        (row["Type"], row["Name"]): int(row["Request Count"])
        for row in rows
        if row["Name"] != "Aggregated"
    }
