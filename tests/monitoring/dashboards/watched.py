"""Three real runs on this machine, seen by real Prometheus: what dashboards are tested on.

One Prometheus a scrape interval; each sees the same exporter twice, as fleets *north* and *south*,
and an exporter of 50 names and 100 workers as fleet *wide*.
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
import zmq

from loadgen.shared.snapshot import Snapshot
from loadgen.watch import monitoring
from loadgen.watch.endpoints import Ports
from tests import busy_machine
from tests.monitoring.cluster import ROOT
from tests.monitoring.prometheus_api import Prometheus
from tests.ports import free_port
from tests.unit.exporter.samples import SNAPSHOT, WORKER, entry
from tests.waiting import await_

LOCUSTFILE = Path(__file__).with_name("shop.py")
USERS = 6
NAMES, WORKERS = 50, 100
WIDE_REQUESTS = 100


@dataclass(frozen=True, slots=True)
class WatchedRun:
    """A run that has ended: its summary, Unix seconds of its process's start and end."""

    summary: dict[str, Any]
    began: float
    ended: float
    metrics: str

    @property
    def id(self) -> str:
        return str(self.summary["run_id"])


@dataclass
class Watched:
    """Prometheus by scrape interval in seconds, still up, and the runs that they saw."""

    prometheus: dict[int, Prometheus]
    runs: list[WatchedRun] = field(default_factory=list)
    results: Path = Path()


def loadgen(results: Path, exporter_port: int, seconds: int, *options: str) -> WatchedRun:
    """Run a load test on this machine to its end."""
    command = [
        *(sys.executable, "-m", "loadgen", "run", "--locustfile", str(LOCUSTFILE)),
        *("--users", str(USERS), "--spawn-rate", "6", "--run-time", f"{seconds}s"),
        *("--workers", "2", "--exporter-port", str(exporter_port)),
        *("--web-port", str(free_port()), "--master-bind-port", str(free_port())),
        *("--results", str(results), *options),
    ]
    began = time.time()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"LOADGEN_EXPORTER_OPTIONS": "--compatible-names"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode in (0, 1, 3), done.stdout + done.stderr
    directory = (results / "latest").resolve()
    summary = json.loads((directory / "summary.json").read_text())
    if busy_machine.waited_for_a_core(summary):
        raise busy_machine.MachineWasBusyError(done.stdout)
    metrics = (directory / "metrics.prom").read_text()
    return WatchedRun(summary, began, time.time(), metrics)


def _wide(time_: float) -> Snapshot:
    names = [
        entry(f"/shop/{n:02}", WIDE_REQUESTS + n, 10.0 + n, failures=n % 3) for n in range(NAMES)
    ]
    workers = [
        replace(WORKER, id=f"host{n // 10}_{n}", index=n, cpu_percent=float(n % 60))
        for n in range(WORKERS)
    ]
    return replace(
        SNAPSHOT,
        time=time_,
        run_id="wide",
        entries=names,
        workers=workers,
        workers_expected=WORKERS,
        test_started_at=time_ - 10,
        measured_from=time_ - 10,
        measured_seconds=10.0,
    )


@contextmanager
def _wide_exporter(directory: Path, port: int) -> Iterator[None]:
    """Run an exporter that hears a large test."""
    endpoint = f"ipc://{directory / 'wide.sock'}"
    command = [sys.executable, "-m", "exporter", "--subscribe", endpoint]
    ended = threading.Event()
    context = zmq.Context()
    publisher = context.socket(zmq.PUB)
    publisher.bind(endpoint)

    def publish() -> None:
        while not ended.wait(0.5):
            publisher.send(_wide(time.time()).pack())
        publisher.close(0)

    publishing = threading.Thread(target=publish)
    publishing.start()
    command += ["--listen", f"127.0.0.1:{port}", "--compatible-names"]
    exporter = subprocess.Popen(command, cwd=ROOT)
    try:
        yield
    finally:
        exporter.terminate()
        exporter.wait(20)
        ended.set()
        publishing.join()
        context.term()


def _with_fleets(directory: Path, wide_port: int) -> None:
    """Have a Prometheus see the exporter as two fleets, and the large one as a third."""
    path = directory / "prometheus.yml"
    config = yaml.safe_load(path.read_text())
    for job in config["scrape_configs"]:
        (static,) = job["static_configs"]
        fleets = ("north", "south") if job["job_name"] == "locust" else ("north",)
        job["static_configs"] = [
            {
                "targets": _named(static["targets"], fleet),
                "labels": static["labels"] | {"fleet": fleet},
            }
            for fleet in fleets
        ]
        if job["job_name"] == "locust":
            wide = {"targets": [f"127.0.0.1:{wide_port}"], "labels": {"fleet": "wide"}}
            job["static_configs"].append(wide)
    path.write_text(yaml.safe_dump(config))


def _named(targets: list[str], fleet: str) -> list[str]:
    """Return one exporter's address so that it takes the scrapes of two fleets for two."""
    return (
        [one.replace("127.0.0.1", "localhost") for one in targets] if fleet == "south" else targets
    )


@contextmanager
def watching(
    directory: Path,
    *options: str,
    intervals: Sequence[int] = (1,),
    run_seconds: Sequence[int] = (6, 8, 6),
    started: Callable[[int], None] = lambda _: None,
) -> Iterator[Watched]:
    """Run so often, so long, under Prometheus at each interval; they stay up in the block.

    `options` are `loadgen run`'s, after the harness's own. `started` is told the exporter's port
    before the first run.
    """
    ports = Ports(*(free_port() for _ in range(5)))
    wide_port = free_port()
    watched = Watched({}, results=directory / "results")
    watched.results.mkdir()
    with ExitStack() as stack:
        node = monitoring.node_exporter(directory, ports.node)
        assert node is not None
        stack.enter_context(node)
        stack.enter_context(monitoring.archive(directory, ports.archive, watched.results))
        stack.enter_context(_wide_exporter(directory, wide_port))
        for seconds in intervals:
            own = replace(ports, prometheus=free_port())
            place = directory / f"every-{seconds}s"
            place.mkdir()
            running = monitoring.prometheus(place, own, seconds)
            _with_fleets(place, wide_port)
            stack.enter_context(running)
            watched.prometheus[seconds] = Prometheus(own.prometheus)
        started(ports.exporter)
        for length in run_seconds:
            watched.runs.append(loadgen(watched.results, ports.exporter, length, *options))
        for seconds, prometheus in watched.prometheus.items():
            _await_all(prometheus, watched.runs[-1], 3 * seconds + 30)
        yield watched


def _await_all(prometheus: Prometheus, last: WatchedRun, seconds: float) -> None:
    """Wait until a Prometheus has the last verdict and knows that the exporter is gone."""
    verdict = f'locust_run_verdict{{run_id="{last.id}"}}'
    await_(lambda: prometheus.samples(verdict), "the verdict", seconds)
    down = 'up{job="locust",fleet="north"} == 0'
    await_(lambda: prometheus.samples(down), "the exporter's end", seconds)
