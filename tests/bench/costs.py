"""What the kit's parts cost: the worker, the master, the exporter.

launcher   the same load with one part more each time; ratios to plain Locust in one round
log        the request log, switched on and off within one process
growth     request events without a target, by one worker on each core
master     a real master with simulated workers
scrape     the exporter, over HTTP
"""

import contextlib
import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import linear_regression, median

import zmq

from loadgen.shared.snapshot import EntryStatistics, Snapshot
from tests.bench.distributed import ROOT, Counted, Distributed, Setup, cpu_ratio, prepared
from tests.bench.targets import listens, pinned
from tests.unit.exporter.samples import SNAPSHOT, WORKER

SCRAPE_SECONDS = 5.0
SCRAPED_NAMES, SCRAPED_WORKERS, SCRAPES = 1000, 100, 15
SIMULATED = ((100, 10), (1000, 10), (100, 100), (500, 100), (10, 1000))
CONNECT_SECONDS = 5


@dataclass(frozen=True)
class Part:
    """One more part than before, and whether the exporter is asked meanwhile."""

    name: str
    setup: Setup
    scraped: bool = False


PLAIN = "plain Locust"


def parts(url: str, seconds: int) -> list[Part]:
    """Return the ways to run the load; the first is what the others are compared with."""
    plain = Setup(url=url, seconds=seconds, launcher=False)
    kit = replace(plain, launcher=True)
    return [
        Part(PLAIN, plain),
        Part("plain Locust and CURVE", replace(plain, curve=True)),
        Part("the launcher: CURVE, guard, publisher", kit),
        Part("and the exporter, scraped every 5 s", kit, scraped=True),
    ]


def measure_part(part: Part, cores: tuple[int, int]) -> Counted:
    """Run a part's load once; the master and the target share the first core."""
    ended = threading.Event()
    with prepared(part.setup) as run, contextlib.ExitStack() as stack:
        master = run.start("master", cores[0])
        run.start("worker", cores[1])
        stack.callback(ended.set)
        if part.scraped:
            page = stack.enter_context(run.exporter(cores[0]))
            _keep_asking(page, SCRAPE_SECONDS, ended)
        return run.measure(master)


def _keep_asking(url: str, interval: float, ended: threading.Event) -> None:
    asked = (url, interval, ended)
    threading.Thread(target=_ask_again, args=asked, daemon=True).start()


def _ask_again(url: str, interval: float, ended: threading.Event) -> None:
    while not ended.wait(interval):
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=30) as answer:
            answer.read()


def measure_growth(workers: int, seconds: int, cores: list[int]) -> Counted:
    """Fire request events, without a target, in so many workers: one on each core."""
    setup = Setup(seconds=seconds, workers=workers, users=10 * workers, task="event")
    with prepared(setup) as run:
        master = run.start("master", cores[0])
        for number in range(workers):
            run.start("worker", cores[-1 - number])
        return run.measure(master)


@dataclass(frozen=True)
class Waiting:
    """Many users in one worker, each with a request now and then."""

    users: int
    wait_seconds: float
    spawn_rate: int
    per_second: float
    ramp_seconds: float
    memory_bytes_a_user: float
    late_p50_ms: float
    late_p99_ms: float
    cpu_ratio: float


def measure_waiting(url: str, users: int, seconds: int, cores: tuple[int, int]) -> Waiting:
    """Let so many users wait 10 s after each request, in one worker; 2,000 start a second."""
    setup = Setup(url=url, seconds=seconds, users=users, wait_seconds=10.0, spawn_rate=2000)
    with prepared(setup) as run:
        master = run.start("master", cores[0])
        run.start("worker", cores[1])
        counted = run.measure(master)
        found = run.found()[0]
    keys = ("ramp_seconds", "memory_bytes_a_user", "late_p50_ms", "late_p99_ms")
    return Waiting(
        users,
        setup.wait_seconds,
        setup.spawn_rate,
        counted.per_second,
        **{key: found[key] for key in keys},
        cpu_ratio=found["cpu_seconds"] / found["seconds"],
    )


@dataclass(frozen=True)
class MasterLoad:
    """What a master used of its core for simulated workers and names, and how late it answered."""

    workers: int
    names: int
    cpu_ratio: float
    heartbeat_p50_ms: float
    heartbeat_max_ms: float


def measure_master(workers: int, names: int, seconds: int, cores: tuple[int, int]) -> MasterLoad:
    """Load a real master; `cores` are its own and that of the simulated workers."""
    setup = Setup(seconds=seconds + 60, workers=workers, users=workers)
    with prepared(setup) as run:
        master = run.start("master", cores[0])
        run.await_(lambda: listens(run.port))
        command = [sys.executable, "-m", "tests.bench.simulated_workers", str(run.keys)]
        command += map(str, (run.port, workers, names, seconds + CONNECT_SECONDS))
        with subprocess.Popen(
            pinned(cores[1], *command), cwd=ROOT, stdout=subprocess.PIPE
        ) as simulated:
            time.sleep(CONNECT_SECONDS)
            used = cpu_ratio(master, seconds - 1)
            output, _ = simulated.communicate(timeout=60)
    found = json.loads(output)
    if found["running"] < workers:
        raise RuntimeError(f"{found['running']} of {workers} simulated workers were given users")
    return MasterLoad(workers, names, used, found["p50_ms"], found["max_ms"])


@dataclass(frozen=True)
class Scrape:
    """How long a scrape takes, over HTTP."""

    names: int
    workers: int
    megabytes: float
    median_seconds: float
    slowest_seconds: float


def measure_scrape(cores: tuple[int, int]) -> Scrape:
    """Scrape an exporter that holds many names and workers; each scrape follows a new snapshot."""
    packed = _large_snapshot().pack()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        publisher = context.socket(zmq.XPUB)
        publisher.bind(f"ipc://{name}/publisher.sock")
        with Distributed(Path(name), Setup()).exporter(cores[0]) as page:
            if not publisher.poll(30_000):
                raise RuntimeError("the exporter did not subscribe")
            seconds, size = [], 0
            for _ in range(SCRAPES):
                publisher.send(packed)
                time.sleep(0.5)
                began = time.perf_counter()
                with urllib.request.urlopen(page, timeout=30) as answer:
                    size = len(answer.read())
                seconds.append(time.perf_counter() - began)
        publisher.close(0)
        context.term()
    return Scrape(SCRAPED_NAMES, SCRAPED_WORKERS, size / 1e6, median(seconds), max(seconds))


def _large_snapshot() -> Snapshot:
    times = {round(10 * 1.01**step, 2): 5 for step in range(200)}
    entries = [
        EntryStatistics("GET", f"/page/{i}", 1000, 0, 0, times, 30_000.0, 10.0, 73.0, 10**6)
        for i in range(SCRAPED_NAMES)
    ]
    workers = [replace(WORKER, id=f"generator{i}_ab", index=i) for i in range(SCRAPED_WORKERS)]
    return replace(SNAPSHOT, entries=entries, workers=workers, errors=[])


@dataclass(frozen=True)
class Endurance:
    """Memory and descriptors of a process on its way through many requests."""

    samples: list[tuple[int, int, int]]  # requests until then, bytes, descriptors
    failures: int

    @property
    def slope(self) -> float:
        """How many bytes of memory a request left behind, over the last two thirds."""
        warm = self.samples[len(self.samples) // 3 :]
        return linear_regression([one[0] for one in warm], [one[1] for one in warm]).slope


@dataclass(frozen=True)
class Logged:
    """CPU time of a request in microseconds, second by second: without and with the log."""

    plain: list[float]
    logged: list[float]

    @property
    def ratios(self) -> list[float]:
        """How the rate of a core changes with the log, pair by pair, in rising order."""
        return sorted(one / other for one, other in zip(self.plain, self.logged, strict=True))


def measure_log(url: str, pairs: int, core: int) -> Logged:
    """Switch the request log on and off in one process, so many times."""
    command = [sys.executable, "-m", "tests.bench.logged", url, str(pairs)]
    output = subprocess.check_output(pinned(core, *command), cwd=ROOT, timeout=60 + 4 * pairs)
    return Logged(**json.loads(output))


def measure_endurance(url: str, requests: int, core: int) -> Endurance:
    """Send many requests from one process."""
    command = [sys.executable, "-m", "tests.bench.endurance", url, str(requests)]
    output = subprocess.check_output(pinned(core, *command), cwd=ROOT, timeout=60 + requests / 2000)
    return Endurance(**json.loads(output))
