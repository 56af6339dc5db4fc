"""What the kit's parts cost: the worker, the master, the exporter.

kit        in a request: switched on and off within one process; and what goes on beside requests
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
from statistics import fmean, linear_regression, median

import psutil
import zmq

from loadgen.shared.snapshot import EntryStatistics, Snapshot
from tests.bench.distributed import ROOT, Counted, Distributed, Setup, cpu_ratio, prepared
from tests.bench.targets import listens, pinned
from tests.unit.exporter.samples import SNAPSHOT, WORKER

PLAIN = "plain Locust"
TURN_REQUESTS = 40_000
SCRAPE_SECONDS = 5.0
SCRAPED_NAMES, SCRAPED_WORKERS, SCRAPES = 1000, 100, 15
SIMULATED = ((100, 10), (1000, 10), (100, 100), (500, 100), (10, 1000))
CONNECT_SECONDS = 5


@dataclass(frozen=True)
class Beside:
    """CPU that processes take beside the requests, in milliseconds of each second."""

    name: str
    worker: float
    master: float
    exporter: float | None = None


def measure_beside(url: str, seconds: int, cores: tuple[int, int]) -> list[Beside]:
    """Run workers that send little, plain Locust's first, all at the same time.

    The masters, the exporter and the target share the first core, the workers the second.
    """
    few = Setup(url, seconds=seconds + 5, wait_seconds=1.0, launcher=False)
    setups = [few, replace(few, curve=True), replace(few, launcher=True)]
    with contextlib.ExitStack() as stack:
        runs = [stack.enter_context(prepared(setup)) for setup in setups]
        page, exporter = stack.enter_context(runs[-1].exporter(cores[0]))
        masters = [run.start("master", cores[0]) for run in runs]
        workers = [run.start("worker", cores[1]) for run in runs]
        ended = threading.Event()
        stack.callback(ended.set)
        _keep_asking(page, SCRAPE_SECONDS, ended)
        for run in runs:
            run.await_begun()
        used = _milliseconds_a_second([*masters, *workers, exporter], seconds)
    names = (PLAIN, "plain Locust and CURVE", "the launcher: CURVE, guard, publisher, exporter")
    found = list(map(Beside, names, used[3:6], used[:3]))
    return [*found[:-1], replace(found[-1], exporter=used[6])]


def _milliseconds_a_second(processes: list[psutil.Process], seconds: float) -> list[float]:
    before, began = [*map(_cpu_seconds, processes)], time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - began
    after = map(_cpu_seconds, processes)
    return [(b - a) / took * 1000 for a, b in zip(before, after, strict=True)]


def _cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU time of all threads, which the kernel counts in nanoseconds."""
    files = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    return sum(int(file.read_text().split()[0]) for file in files) / 1e9


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
        with Distributed(Path(name), Setup()).exporter(cores[0]) as (page, _):
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
class Switched:
    """CPU time of a request in microseconds, turn by turn: without and with a part."""

    without: list[float]
    having: list[float]

    @property
    def ratio(self) -> float:
        """How the rate of a core changes with the part, over all turns."""
        return fmean(self.without) / fmean(self.having)

    @property
    def ratios(self) -> list[float]:
        """The same pair by pair, in rising order."""
        return sorted(one / other for one, other in zip(self.without, self.having, strict=True))


def measure_switched(part: str, url: str, pairs: int, core: int) -> Switched:
    """Switch a part on and off in one process, so many times: "kit" or "log"."""
    command = [sys.executable, "-m", "tests.bench.switched", url]
    command += [str(pairs), str(TURN_REQUESTS), part]
    output = subprocess.check_output(pinned(core, *command), cwd=ROOT, timeout=60 + 10 * pairs)
    return Switched(**json.loads(output))


def measure_endurance(url: str, requests: int, core: int) -> Endurance:
    """Send many requests from one process."""
    command = [sys.executable, "-m", "tests.bench.endurance", url, str(requests)]
    output = subprocess.check_output(pinned(core, *command), cwd=ROOT, timeout=60 + requests / 2000)
    return Endurance(**json.loads(output))
