"""Much of everything: names, errors, workers, time."""

import csv
import os
import time
from importlib.metadata import version
from pathlib import Path

import msgpack
import psutil
import pytest
import zmq

from loadgen.node import channel
from tests.faults.driving import Target, exporters, locustfile, start
from tests.faults.record import Outcome, everything
from tests.local.conftest import Run, Runner
from tests.local.test_run import csv_total, sample_total
from tests.waiting import await_

PART = "Load"
WORKERS = 1000
SOAK_SECONDS = int(os.environ.get("SOAK_SECONDS") or 90)
SLOPE_MAX_MEGABYTES_PER_MINUTE = 4.0
# The load ends when all was counted, however long a busy machine takes for it.
FIRING = """
    from locust import LoadTestShape, User, constant, events, task

    class UntilAllIsCounted(LoadTestShape):
        def tick(self):
            counted = self.runner.stats.total.num_requests
            return None if counted >= 2 * {count} or self.get_run_time() > 150 else (2, 2)

    class FiringUser(User):
        wait_time = constant(60)
        host = "http://127.0.0.1"

        @task
        def fire(self):
            for number in range({count}):
                self.environment.events.request.fire(
                    request_type="GET", name={name}, response_time=5.0, response_length=10,
                    exception={exception}, context={{}}, url="", response=None,
                )
                if number % 100 == 0:
                    import gevent
                    gevent.sleep(0)
"""


def firing(loadgen: Runner, count: int, name: str, exception: str) -> Run:
    """Run two users on two workers that each count so many requests at once."""
    user = FIRING.format(count=count, name=name, exception=exception)
    options = ("--workers", "2", "--skip-target-check")
    run = loadgen.start(*options, *locustfile(loadgen, user=user))
    run.process.wait(240)
    run.wait()
    return run


def largest_megabytes(run: Run) -> float:
    return max(path.stat().st_size for path in run.directory.rglob("*")) / 1e6


@pytest.mark.fault(PART, "Requests have 10,000 distinct names.")
def test_many_names(loadgen: Runner, outcome: Outcome) -> None:
    run = firing(loadgen, 10_000, 'f"/item/{number}"', "None")
    assert everything(run.summary) == 20_000, run.output + run.logs()
    assert run.process.returncode == 0, run.output
    assert csv_total(run.directory / "stats.csv") == 20_000
    metrics = (run.directory / "metrics.prom").read_text()
    assert sample_total(metrics, "locust_requests_total") == 20_000
    series = sum(not line.startswith("#") for line in metrics.splitlines())
    outcome(
        f"Every request is counted; a scrape has {series:,} series; the largest file "
        f"has {largest_megabytes(run):.0f} MB.",
        summary=run.summary,
        received=20_000,
    )


@pytest.mark.fault(PART, "100,000 requests fail, each with a different error message.")
def test_many_errors(loadgen: Runner, outcome: Outcome) -> None:
    run = firing(loadgen, 50_000, '"/item"', 'ValueError(f"no {id(self)} {number}")')
    assert run.summary["failures"] == 100_000, run.output + run.logs()
    assert run.process.returncode == 1, run.output
    metrics = (run.directory / "metrics.prom").read_text()
    assert sample_total(metrics, "locust_request_failures_total") == 100_000
    with (run.directory / "failures.csv").open() as table:
        kept = sum(1 for _ in csv.DictReader(table))
    outcome(
        f"verdict failed; every failure is counted; failures.csv contains {kept:,} messages; "
        f"the largest file has {largest_megabytes(run):.0f} MB",
        summary=run.summary,
        received=100_000,
    )


class Crowd:
    """Simulated workers: each joins a master, says that it lives, and leaves."""

    def __init__(self, loadgen: Runner, run: Run, size: int) -> None:
        self._keys = next(Path(loadgen.temporary).glob("loadgen-run-*/master.key")).parent
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._context.set(zmq.MAX_SOCKETS, size + 10)
        self._sockets = {
            f"simulated_{number}": self._join(f"simulated_{number}", run) for number in range(size)
        }

    def _join(self, name: str, run: Run) -> "zmq.Socket[bytes]":
        socket = self._context.socket(zmq.DEALER)
        channel.secure_client(socket, self._keys)
        socket.setsockopt(zmq.IDENTITY, name.encode())
        socket.connect(f"tcp://127.0.0.1:{run.worker_port}")
        self._say(socket, name, "client_ready", version("locust"))
        return socket

    @staticmethod
    def _say(socket: "zmq.Socket[bytes]", name: str, kind: str, data: object) -> None:
        socket.send(msgpack.packb((kind, data, name)))

    def leave(self, *, said: bool) -> None:
        """Close every connection; `said`: after a last heartbeat and a word of it."""
        beat = {"state": "ready", "current_cpu_usage": 1.0, "current_memory_usage": 1}
        for name, socket in self._sockets.items():
            if said:
                self._say(socket, name, "heartbeat", beat)
                self._say(socket, name, "quit", None)
            socket.close(linger=5000 if said else 0)
        self._context.term()


@pytest.mark.parametrize(
    "said",
    [
        pytest.param(
            True,
            marks=pytest.mark.fault(
                PART, "1,000 workers connect under load, send heartbeats, and quit."
            ),
        ),
        pytest.param(
            False,
            marks=pytest.mark.fault(
                PART, "1,000 workers connect under load and disappear without a message."
            ),
        ),
    ],
)
def test_many_workers(loadgen: Runner, target: Target, outcome: Outcome, said: bool) -> None:
    options = ("--users", "4", "--workers", "1", "--run-time", "60s")
    run = start(loadgen, *options, *locustfile(loadgen), target=target)
    since = time.monotonic()
    crowd = Crowd(loadgen, run, WORKERS)
    await_(lambda: joined(run) >= WORKERS, f"{WORKERS} workers in the master's log", 90)
    noticed = time.monotonic() - since
    crowd.leave(said=said)
    code = run.wait()
    assert code in (0, 3), run.output + run.logs()[-3000:]
    assert run.summary["workers"]["seen"] > 1, run.output
    kinds = ", ".join(dict.fromkeys(run.summary["reason_kinds"])) or "no problem was reported"
    outcome(
        f"verdict {run.summary['verdict']}: {kinds}",
        notice_seconds=noticed,
        summary=run.summary,
        received=target.received,
    )


def joined(run: Run) -> int:
    logs = list(run.results.glob("2*/hosts/localhost/master.log"))
    return sum(log.read_text().count("simulated_") for log in logs)


def slope(samples: list[tuple[float, float]]) -> float:
    """Fit a line to (seconds, megabytes); return megabytes a minute."""
    mean_x = sum(x for x, _ in samples) / len(samples)
    mean_y = sum(y for _, y in samples) / len(samples)
    rise = sum((x - mean_x) * (y - mean_y) for x, y in samples)
    return 60 * rise / sum((x - mean_x) ** 2 for x, _ in samples)


@pytest.mark.fault(
    PART,
    "Nothing is broken: memory is measured once a second in a long run "
    "(SOAK_SECONDS=3600 for an hour).",
)
@pytest.mark.timeout(SOAK_SECONDS + 120)
def test_soak(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    options = ("--users", "10", "--workers", "2", "--run-time", f"{SOAK_SECONDS}s")
    run = start(loadgen, *options, *locustfile(loadgen), target=target)
    watched = {
        "master": psutil.Process(run.pids("master")[0]),
        "exporter": psutil.Process(exporters(run)[0]),
        "loadgen": psutil.Process(run.process.pid),
    }
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in watched}
    began = time.monotonic()
    while (now := time.monotonic() - began) < SOAK_SECONDS - 10:
        if now > SOAK_SECONDS / 3:  # pools and caches are full
            for name, process in watched.items():
                seen[name].append((now, process.memory_info().rss / 1e6))
        time.sleep(1)
    code = run.wait()
    slopes = {name: slope(samples) for name, samples in seen.items()}
    told = ", ".join(f"{name} {value:+.2f}" for name, value in slopes.items())
    assert code == 0, run.output
    assert max(slopes.values()) < SLOPE_MAX_MEGABYTES_PER_MINUTE, told
    lost = target.received - everything(run.summary)
    assert lost == 0
    outcome(
        f"In {SOAK_SECONDS} s, memory grew by these amounts in MB per minute: {told}.",
        summary=run.summary,
        received=target.received,
    )
