"""A real Locust master with real workers, publisher and reporters, as child processes."""

import os
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import zmq

from loadgen.node.settings import NodeSettings, WebSettings
from loadgen.shared.snapshot import Snapshot, unpack
from tests.ports import free_port
from tests.waiting import await_

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
PLUGIN = Path(__file__).with_name("plugin.py")
PATIENCE_SECONDS = 60.0


class Cluster:
    """Processes of one master and its workers; `end` leaves none of them behind."""

    def __init__(self, directory: Path, plugin: Path = PLUGIN) -> None:
        self.directory = directory
        self.plugin = plugin
        self.processes: list[subprocess.Popen[bytes]] = []
        self.settings = NodeSettings(
            name="test",
            release_directory=ROOT,
            keys_directory=directory,
            state_directory=directory,
            master_port=free_port(),
            web=WebSettings(port=free_port()),
        )
        (directory / "node.json").write_text(self.settings.model_dump_json())

    def start_master(self, *options: str) -> subprocess.Popen[bytes]:
        """Start a master with its web UI; returns at once."""
        return self._start(
            "master",
            *("--master", "--master-bind-host", "127.0.0.1"),
            *("--master-bind-port", str(self.settings.master_port)),
            *("--web-host", "127.0.0.1", "--web-port", str(self.settings.web.port)),
            *options,
        )

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start a worker; returns at once."""
        master = ("--master-host", "127.0.0.1", "--master-port", str(self.settings.master_port))
        return self._start(f"worker{len(self.processes)}", "--worker", *master)

    def _start(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "locust", "-f", str(self.plugin), *arguments]
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "TEST_NODE_SETTINGS": str(self.directory / "node.json"),
        }
        with (self.directory / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
        self.processes.append(process)
        return process

    def post(self, path: str, **fields: object) -> bytes:
        """Call the master's web UI; return its answer."""
        url = f"http://127.0.0.1:{self.settings.web.port}{path}"
        body = urllib.parse.urlencode(fields).encode()
        with urllib.request.urlopen(url, data=body, timeout=90) as answer:
            return bytes(answer.read())

    def stop(self) -> None:
        """Stop the test as the web UI's button does; returns when the master has stopped it."""
        self.post("/stop")

    def web_is_up(self) -> bool:
        """Tell whether the web UI's port answers."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.settings.web.port)) == 0

    def logs(self) -> str:
        """Return every process's log."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text()}" for path in self.directory.glob("*.log")
        )

    def end(self) -> None:
        """End every process, politely at first."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def running(
    directory: Path, workers: int = 2, plugin: Path = PLUGIN, options: tuple[str, ...] = ()
) -> Iterator[Cluster]:
    """Run a cluster whose workers are connected; its logs are printed when the block fails."""
    cluster = Cluster(directory, plugin)
    try:
        cluster.start_master(*options)
        for _ in range(workers):
            cluster.start_worker()
        await_(cluster.web_is_up, "the web UI")
        with Listener(cluster.settings.publisher_endpoint) as listener:
            listener.await_(lambda s: len(s.workers) == workers, f"{workers} workers")
        yield cluster
    except BaseException:
        print(cluster.logs())
        raise
    finally:
        cluster.end()


class Listener:
    """Hears a publisher's snapshots."""

    def __init__(self, endpoint: str) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.SUBSCRIBE, b"")
        self._socket.connect(endpoint)

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close(0)
        self._context.term()

    def await_(self, condition: Callable[[Snapshot], object], what: str) -> Snapshot:
        """Return the first snapshot that meets the condition."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        last = None
        while (left := deadline - time.monotonic()) > 0:
            if self._socket.poll(int(left * 1000)):
                last = unpack(self._socket.recv())
                if condition(last):
                    return last
        raise AssertionError(f"{what} did not happen within {PATIENCE_SECONDS} s; last: {last}")
