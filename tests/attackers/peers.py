"""Peers of a run's worker port, admitted ones and others; and whatever else connects to a port."""

import contextlib
import socket
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgpack
import psutil
import zmq

from loadgen.node import channel
from tests.local.conftest import Run, Runner

LOCUST_VERSION = version("locust")
ANSWER_SECONDS = 20.0
SILENCE_SECONDS = 1.5


def start(loadgen: Runner, seconds: int = 8, *options: str) -> Run:
    """Start a run of two workers; return when it loads."""
    common = ("--users", "4", "--run-time", f"{seconds}s", "--workers", "2")
    run = loadgen.start(*common, *options)
    run.wait_for("Loading")
    return run


def keys(loadgen: Runner) -> Path:
    """Return the directory of a running run's keys."""
    return next(loadgen.temporary.glob("loadgen-run-*/master.key")).parent


class Worker:
    """A peer under an admitted key that says what it likes."""

    def __init__(self, run: Run, keys: Path, name: str) -> None:
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.DEALER)
        channel.secure_client(self.socket, keys)
        self.socket.setsockopt(zmq.IDENTITY, name.encode())
        self.socket.linger = 5000
        self.socket.connect(f"tcp://127.0.0.1:{run.worker_port}")
        self.name = name

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self._context.term()

    def say(self, kind: Any, data: Any = None, name: str | None = None) -> None:
        self.send(msgpack.packb((kind, data, name or self.name)))

    def send(self, message: bytes) -> None:
        self.socket.send(message)

    def hears(self, kind: str, seconds: float = ANSWER_SECONDS) -> bool:
        """Tell whether an answer of that kind comes; others are passed over."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if self.socket.poll(int(left * 1000)):
                answer = self.socket.recv()
                if msgpack.unpackb(answer, strict_map_key=False)[0] == kind:
                    return True
        return False

    def is_answered(self, seconds: float = ANSWER_SECONDS) -> bool:
        """Tell whether the master still listens to this worker."""
        self.say("locustfile", {"version": LOCUST_VERSION})
        return self.hears("locustfile", seconds)


@contextlib.contextmanager
def connections(port: int, count: int, first: bytes = b"") -> Iterator[Sequence[socket.socket]]:
    """Open that many connections, each saying `first` and then nothing; close them at the end."""
    opened: list[socket.socket] = []
    try:
        for _ in range(count):
            peer = socket.create_connection(("127.0.0.1", port), timeout=20)
            opened.append(peer)
            if first:
                peer.sendall(first)
        yield opened
    finally:
        for peer in opened:
            peer.close()


def memory_bytes(run: Run) -> int:
    """Return what the run's master uses."""
    return sum(psutil.Process(pid).memory_info().rss for pid in run.pids("master"))


def lines_of(run: Run, *words: str) -> list[str]:
    """Return the log lines that hold all the words."""
    return [line for line in run.logs().splitlines() if all(word in line for word in words)]
