"""A master and its workers, each on a core of its own choosing: plain Locust or the kit's launcher.

Workers count for themselves, from one of their reports to another (`locustfile.ReportMeter`).
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from loadgen.node import channel
from loadgen.node.settings import NodeSettings, RunSettings, WebSettings
from tests.bench.targets import await_listener, free_port, pinned

ROOT = Path(__file__).parents[2]
LOCUSTFILE = Path(__file__).with_name("locustfile.py")
PATIENCE_SECONDS = 90


@dataclass(frozen=True)
class Setup:
    """How the load is run. `task` is one of the locustfile's; `wait_seconds` between two."""

    url: str = "http://127.0.0.1:9"
    seconds: int = 5
    users: int = 50
    spawn_rate: int = 1000
    workers: int = 1
    task: str = "get"
    wait_seconds: float = 0.0
    launcher: bool = True
    curve: bool = False


@dataclass(frozen=True)
class Counted:
    """What all workers counted together, and the master's CPU as a share of one core."""

    per_second: float
    cpu_microseconds: float
    master_cpu_ratio: float


class Distributed:
    """The processes of one run."""

    def __init__(self, directory: Path, setup: Setup) -> None:
        self._directory, self._setup = directory, setup
        self._node = NodeSettings(
            name="bench",
            release_directory=ROOT,
            keys_directory=directory / "keys",
            state_directory=directory,
            master_port=free_port(),
            web=WebSettings(port=free_port()),
            log_level="WARNING",
        )
        self._settings = directory / "node.json"
        self._processes: list[subprocess.Popen[bytes]] = []
        self._results: list[Path] = []
        self.keys, self.port = self._node.keys_directory, self._node.master_port
        self.web = f"http://127.0.0.1:{self._node.web.port}"

    def prepare(self) -> None:
        """Write the keys, the node's settings and the run's."""
        for name in (channel.MASTER, "worker"):
            channel.create_key_pair(self.keys, name)
        admitted = self.keys / channel.ADMITTED_DIRECTORY
        admitted.mkdir()
        (admitted / "worker.key").write_bytes((self.keys / "worker.key").read_bytes())
        self._settings.write_text(self._node.model_dump_json())
        run = RunSettings(
            run_id="20260101T000000Z-bench-0000",
            locustfiles=(str(LOCUSTFILE),),
            locust_arguments=("--host", self._setup.url),
            master_arguments=tuple(self._load()),
        )
        (self._directory / "run.json").write_text(run.model_dump_json())

    def _load(self) -> list[str]:
        setup = self._setup
        load = {"users": setup.users, "spawn-rate": setup.spawn_rate, "autoquit": 0}
        load["expect-workers"] = setup.workers
        load["run-time"] = setup.seconds + 2 + setup.users // setup.spawn_rate
        return [f"--{name}={value}" for name, value in load.items()]

    def start(self, role: str, core: int) -> psutil.Process:
        """Start the master, or one more worker, on one core."""
        command = self._launched(role) if self._setup.launcher else self._plain(role)
        number = len(self._processes)
        result = self._directory / f"found{number}.json"
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "BENCH_RESULT": str(result),
            "BENCH_TASK": self._setup.task,
            "BENCH_WAIT": str(self._setup.wait_seconds),
            "BENCH_KEYS": str(self.keys) if self._setup.curve else "",
        }
        with (self._directory / f"{number}.log").open("wb") as log:
            process = subprocess.Popen(
                pinned(core, *command), stdout=log, stderr=log, env=environment
            )
        self._processes.append(process)
        if role == "worker":
            self._results.append(result)
        return psutil.Process(process.pid)

    def _launched(self, role: str) -> list[str]:
        command = [sys.executable, "-m", "loadgen.node", role]
        return [*command, "--settings", str(self._settings)]

    def _plain(self, role: str) -> list[str]:
        command = [sys.executable, "-m", "locust", "--locustfile", str(LOCUSTFILE)]
        command += ["--host", self._setup.url, "--loglevel", "WARNING"]
        if role == "worker":
            return [*command, "--worker", "--master-host=127.0.0.1", f"--master-port={self.port}"]
        command += ["--master", "--master-bind-host=127.0.0.1", f"--master-bind-port={self.port}"]
        command += ["--web-host=127.0.0.1", f"--web-port={self._node.web.port}"]
        return [*command, "--autostart", *self._load()]

    @contextmanager
    def exporter(self, core: int) -> Iterator[tuple[str, psutil.Process]]:
        """Run the exporter on one core; gives the address of its metrics and its process."""
        port = free_port()
        command = [sys.executable, "-m", "exporter", "--listen", f"127.0.0.1:{port}"]
        command += ["--subscribe", self._node.publisher_endpoint]
        process = subprocess.Popen(pinned(core, *command), cwd=ROOT, stdout=subprocess.DEVNULL)
        try:
            await_listener(port, process)
            yield f"http://127.0.0.1:{port}/metrics", psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(timeout=20)

    def measure(self, master: psutil.Process) -> Counted:
        """Wait until the load is over; return what was counted meanwhile."""
        self.await_begun()
        master_cpu_ratio = cpu_ratio(master, self._setup.seconds - 1)
        self.await_(lambda: all(file.exists() for file in self._results))
        found = self.found()
        requests = sum(one["requests"] for one in found)
        return Counted(
            sum(one["requests"] / one["seconds"] for one in found),
            sum(one["cpu_seconds"] for one in found) / requests * 1e6,
            master_cpu_ratio,
        )

    def await_begun(self) -> None:
        """Return when all users of all workers have started."""
        begun = [result.with_suffix(".begun") for result in self._results]
        self.await_(lambda: all(file.exists() for file in begun))

    def found(self) -> list[dict[str, float]]:
        """Return what each worker wrote when the load was over."""
        return [json.loads(file.read_text()) for file in self._results]

    def await_(self, condition: Callable[[], bool]) -> None:
        """Return when a condition is true; RuntimeError with every log when it isn't in time."""
        deadline = time.monotonic() + PATIENCE_SECONDS + self._setup.seconds
        while not condition():
            if time.monotonic() > deadline:
                logs = "\n".join(path.read_text() for path in self._directory.glob("*.log"))
                raise RuntimeError(f"the load did not begin or end in time: {logs}")
            time.sleep(0.05)

    def end(self) -> None:
        """End every process."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=20)
            process.kill()
            process.wait()


def cpu_ratio(process: psutil.Process, seconds: float) -> float:
    """Watch a process for so long; return the share of one core that it used."""
    before, began = sum(process.cpu_times()[:2]), time.monotonic()
    time.sleep(seconds)
    return float(sum(process.cpu_times()[:2]) - before) / (time.monotonic() - began)


@contextmanager
def prepared(setup: Setup) -> Iterator[Distributed]:
    """Give a run that is ready to start; ends all of it."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        run = Distributed(Path(name), setup)
        run.prepare()
        try:
            yield run
        finally:
            run.end()
