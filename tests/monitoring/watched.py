"""Two real runs on this machine, seen by a real Prometheus: what dashboards are tested on."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadgen.watch import monitoring
from tests.monitoring.cluster import ROOT
from tests.monitoring.prometheus_api import Prometheus
from tests.ports import free_port
from tests.waiting import await_

LOCUSTFILE = Path(__file__).with_name("shop.py")
RUN_SECONDS = 14


@dataclass(frozen=True, slots=True)
class WatchedRun:
    """A run that has ended: its summary, and a moment (Unix seconds) at which its load was on."""

    summary: dict[str, Any]
    moment: float
    metrics: str


@dataclass(frozen=True, slots=True)
class Watched:
    """Prometheus, still up, and the two runs that it saw."""

    prometheus: Prometheus
    first: WatchedRun
    second: WatchedRun


def loadgen(results: Path, exporter_port: int, *options: str) -> WatchedRun:
    """Run a load test on this machine to its end."""
    command = [
        *(sys.executable, "-m", "loadgen", "run", "--locustfile", str(LOCUSTFILE)),
        *("--users", "6", "--spawn-rate", "6", "--run-time", f"{RUN_SECONDS}s", "--workers", "2"),
        *("--exporter-port", str(exporter_port), "--web-port", str(free_port())),
        *("--master-bind-port", str(free_port()), "--results", str(results), *options),
    ]
    began = time.time()
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode in (0, 1, 3), done.stdout + done.stderr
    directory = (results / "latest").resolve()
    summary = json.loads((directory / "summary.json").read_text())
    metrics = (directory / "metrics.prom").read_text()
    return WatchedRun(summary, began, metrics)


@contextmanager
def watching(
    directory: Path, *options: str, started: Callable[[int], None] = lambda _: None
) -> Iterator[Watched]:
    """Run twice under a Prometheus that scrapes every second; it stays up in the block.

    `options` are `loadgen run`'s, after the harness's own. `started` is told the exporter's port
    before the first run.
    """
    ports = monitoring.Ports(*(free_port() for _ in range(5)))
    results = directory / "results"
    results.mkdir()
    config = monitoring.configuration(ports, ROOT / "exporter", "1s")
    node = monitoring.node_exporter(directory, ports.node)
    assert node is not None
    with (
        monitoring.prometheus(directory, ports.prometheus, config),
        monitoring.archive(directory, ports.archive, results),
        node,
    ):
        prometheus = Prometheus(ports.prometheus)
        started(ports.exporter)
        runs = []
        for _ in range(2):
            run = loadgen(results, ports.exporter, *options)
            moment = await_(lambda: _last_load(prometheus), "load in Prometheus")
            assert moment is not None
            runs.append(WatchedRun(run.summary, moment, run.metrics))
        run_id = runs[-1].summary["run_id"]
        verdict = f'locust_run_verdict{{run_id="{run_id}"}}'
        await_(lambda: prometheus.samples(verdict), "the verdict")
        yield Watched(prometheus, *runs)


def _last_load(prometheus: Prometheus) -> float | None:
    """Return the last moment at which every user was running."""
    moment = "max(max_over_time(timestamp(locust_users == 6)[2m:1s]))"
    return prometheus.value(moment)


def filled(expression: str, watched: Watched) -> str:
    """Put values where Grafana would."""
    starts = [
        watched.prometheus.value(
            f"max(max_over_time(locust_test_start_timestamp_seconds[20s] @ {run.moment}))"
        )
        for run in (watched.first, watched.second)
    ]
    assert starts[0] is not None
    assert starts[1] is not None
    values = {
        "${offset}": str(round(starts[1] - starts[0])),
        "$run_a": watched.second.summary["run_id"],
        "$run_b": watched.first.summary["run_id"],
        "$run": watched.second.summary["run_id"],
        "$method": ".*",
        "$name": ".*",
        "$worker": ".*",
        "$host": ".*",
        "$__rate_interval": "10s",
        "$__range": "300s",
    }
    for variable, value in values.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression
    return expression
