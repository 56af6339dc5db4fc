"""What the exporter costs. Run it on a machine that does nothing else:

    python -m tests.bench.bench_exporter [--rounds 3] [--seconds 15]

Part 1: how long a scrape of 1,000 names and 100 workers takes, over HTTP.
Part 2: in each round the same load runs bare, with the publisher, with publisher and exporter
scraped every 5 s, and polled at /stats/requests every 2 s. Requests and the master's CPU are
printed as ratios to the bare run of the same round: read the ratios, not the numbers.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import psutil
import zmq

from exporter.snapshot import EntryStatistics, Snapshot
from tests.monitoring.cluster import ROOT, Cluster, await_, free_port
from tests.unit.exporter.samples import SNAPSHOT, WORKER

PLUGIN = Path(__file__).with_name("busy.py")
NAMES, WORKERS, SCRAPES = 1000, 100, 15
WARM_UP_SECONDS = 6.0
CONDITIONS = ("bare", "publisher", "exporter", "polled")


def _large_snapshot() -> Snapshot:
    times = {round(10 * 1.01**step, 2): 5 for step in range(200)}
    entries = [
        EntryStatistics("GET", f"/page/{i}", 1000, 0, 0, times, 30_000.0, 10.0, 73.0, 10**6)
        for i in range(NAMES)
    ]
    workers = [replace(WORKER, id=f"generator{i}_ab", index=i) for i in range(WORKERS)]
    return replace(SNAPSHOT, entries=entries, workers=workers, errors=[])


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return bytes(answer.read())


@contextmanager
def _exporter(directory: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "exporter", "--listen", f"127.0.0.1:{port}"]
    command += ["--subscribe", f"ipc://{directory / 'publisher.sock'}"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/metrics"

    def answers() -> bool:
        with contextlib.suppress(OSError):
            return bool(_get(url))
        return False

    try:
        await_(answers, "the exporter")
        yield url
    finally:
        process.terminate()
        process.wait()


def measure_scrapes() -> None:
    """Part 1."""
    packed = _large_snapshot().pack()
    with tempfile.TemporaryDirectory() as name, _exporter(Path(name)) as url:
        context = zmq.Context()
        publisher = context.socket(zmq.XPUB)
        publisher.bind(f"ipc://{name}/publisher.sock")
        assert publisher.poll(30_000)
        seconds, size = [], 0
        for _ in range(SCRAPES):
            publisher.send(packed)
            time.sleep(0.5)
            began = time.perf_counter()
            size = len(_get(url))
            seconds.append(time.perf_counter() - began)
        publisher.close(0)
        context.term()
    print(
        f"scrape of {NAMES} names, {WORKERS} workers, {size / 1e6:.1f} MB: "
        f"median {statistics.median(seconds):.3f} s, slowest {max(seconds):.3f} s"
    )


def _ask_again(url: str, interval: float, ended: threading.Event) -> None:
    while not ended.wait(interval):
        with contextlib.suppress(OSError):
            _get(url)


def _measure(condition: str, seconds: float) -> tuple[float, float]:
    """Return requests a second and the master's CPU (ratio of a core)."""
    os.environ["BENCH_PUBLISHED"] = "0" if condition in ("bare", "polled") else "1"
    ended = threading.Event()
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        cluster = Cluster(directory, PLUGIN)
        stack.callback(cluster.end)
        master = cluster.start_master()
        cluster.start_worker()
        web = f"http://127.0.0.1:{cluster.settings.web.port}"
        await_(cluster.web_is_up, "the web UI")
        await_(lambda: b"memory_usage" in _get(f"{web}/stats/requests"), "the worker")
        cluster.post("/swarm", user_count=10, spawn_rate=10)
        if condition == "exporter":
            url = stack.enter_context(_exporter(directory))
            stack.callback(ended.set)
            threading.Thread(target=_ask_again, args=(url, 5.0, ended), daemon=True).start()
        elif condition == "polled":
            stack.callback(ended.set)
            polled = (f"{web}/stats/requests", 2.0, ended)
            threading.Thread(target=_ask_again, args=polled, daemon=True).start()
        time.sleep(WARM_UP_SECONDS)
        return _window(master.pid, web, seconds)


def _window(master: int, web: str, seconds: float) -> tuple[float, float]:
    process = psutil.Process(master)
    requests, cpu, began = _requests(web), sum(process.cpu_times()[:2]), time.monotonic()
    time.sleep(seconds)
    cpu_after, ended = sum(process.cpu_times()[:2]), time.monotonic()
    elapsed = ended - began
    return (_requests(web) - requests) / elapsed, (cpu_after - cpu) / elapsed


def _requests(web: str) -> int:
    lines = _get(f"{web}/stats/requests/csv").decode().splitlines()
    return int(next(line for line in lines if ",Aggregated," in line).split(",")[2])


def compare(rounds: int, seconds: float) -> None:
    """Part 2."""
    ratios: dict[str, list[tuple[float, float]]] = {name: [] for name in CONDITIONS[1:]}
    for number in range(rounds):
        found = {name: _measure(name, seconds) for name in CONDITIONS}
        for name, (rate, cpu) in found.items():
            print(f"round {number + 1}  {name:9}  {rate:10,.0f} requests/s  master {cpu:6.1%}")
            if name != "bare":
                bare_rate, bare_cpu = found["bare"]
                ratios[name].append((rate / bare_rate, cpu - bare_cpu))
    for name, pairs in ratios.items():
        rate = statistics.median(pair[0] for pair in pairs)
        cpu = statistics.median(pair[1] for pair in pairs)
        print(f"{name:9}  {rate:.3f} times the requests, {cpu:+.1%} of a core in the master")


def main() -> None:
    """Measure both parts."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=15.0)
    given = parser.parse_args()
    measure_scrapes()
    compare(given.rounds, given.seconds)


if __name__ == "__main__":
    main()
