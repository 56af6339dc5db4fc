"""Strangers at the worker port, and workers whose key was taken away: nobody gets in."""

import contextlib
import os
import random
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.attackers.peers import (
    SILENCE_SECONDS,
    Worker,
    connections,
    keys,
    lines_of,
    start,
)
from tests.faults.record import Outcome
from tests.local.conftest import Run, Runner

PART = "Attackers: the worker port"
HALF_OPEN = 3000
# The greeting of ZMTP 3.1 with mechanism CURVE, as a client sends it.
GREETING = b"\xff" + b"\0" * 8 + b"\x7f\x03\x01CURVE".ljust(54, b"\0") + b"\0"


def assert_untouched(run: Run) -> None:
    """The run passed with its own two workers, and counted its requests."""
    assert run.wait() == 0, run.output + run.logs()
    assert run.summary["workers"] == {"expected": 2, "seen": 2, "lost": 0}
    assert run.summary["requests"] >= 20
    assert run.summary["failures"] == 0


@pytest.mark.fault(
    PART,
    "The key of a connected worker is removed under load, and a second worker connects "
    "with this key.",
)
def test_a_former_workers_key_is_worth_nothing(loadgen: Runner, outcome: Outcome) -> None:
    run = start(loadgen, 12)
    directory = keys(loadgen)
    former, place = directory / "former.key", directory / "workers" / "former.key"
    private = directory.parent / "former"
    admit(directory, private, place)
    with Worker(run, private, "former") as connected:
        assert connected.is_answered(), run.logs()
        place.unlink()
        removed = time.monotonic()
        # Its connection stands, but what it says is dropped from the next look at the keys on.
        while connected.is_answered(SILENCE_SECONDS):
            assert time.monotonic() - removed < 8, "a removed key is still answered"
        noticed = time.monotonic() - removed
        with Worker(run, private, "anew") as anew:
            assert not anew.is_answered(SILENCE_SECONDS)
    for path in [*private.iterdir(), former]:
        path.unlink(missing_ok=True)
    private.rmdir()
    assert_untouched(run)
    assert lines_of(run, "which is no longer admitted", "former")
    outcome(
        "verdict passed; the master stops answering both workers, and its log names them",
        notice_seconds=noticed,
    )


def admit(directory: Path, private: Path, place: Path) -> None:
    """Make another worker's keys, and admit it."""
    from loadgen.node import channel  # noqa: PLC0415

    channel.create_key_pair(private, "worker")
    (private / "master.key").write_bytes((directory / "master.key").read_bytes())
    place.write_bytes((private / "worker.key").read_bytes())


class Tap:
    """Passes bytes on to the worker port, and keeps those that the worker sent."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.heard = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        worker, _ = self._listener.accept()
        with worker, socket.create_connection(("127.0.0.1", self._port)) as master:
            back = threading.Thread(target=self._pass_back, args=(master, worker))
            back.start()
            while chunk := worker.recv(1 << 16):
                self.heard += chunk
                master.sendall(chunk)
            master.shutdown(socket.SHUT_RDWR)
            back.join()

    @staticmethod
    def _pass_back(master: socket.socket, worker: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := master.recv(1 << 16):
                worker.sendall(chunk)

    def end(self) -> bytes:
        self._listener.close()
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.heard


@pytest.mark.fault(PART, "Every byte that an accepted worker has sent is replayed five times.")
def test_replayed_bytes_do_nothing(loadgen: Runner, outcome: Outcome) -> None:
    run = start(loadgen, 10)
    tap = Tap(run.worker_port)
    real = run.worker_port
    run.worker_port = tap.port
    with Worker(run, keys(loadgen), "replayed") as worker:
        worker.say("no such type", "once")
        assert worker.is_answered(), run.logs()
    run.worker_port = real
    heard = tap.end()
    assert heard.startswith(b"\xff"), heard[:20]
    assert b"CURVE" in heard[:64], heard[:64]
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", real), timeout=20) as replay:
            replay.settimeout(SILENCE_SECONDS)
            replay.sendall(heard)
            answer = b""
            with contextlib.suppress(OSError):
                while chunk := replay.recv(1 << 16):
                    answer += chunk
            # Its greeting, and then nothing: the keys of that connection are gone.
            assert b"HelloUser" not in answer
    assert_untouched(run)
    assert len(lines_of(run, "no such type")) == 1, run.logs()
    outcome("verdict passed; each message is counted once")


@pytest.mark.fault(PART, f"{HALF_OPEN:,} connections send nothing, or half a ZeroMQ greeting.")
def test_half_open_connections_hold_up_nobody(loadgen: Runner, outcome: Outcome) -> None:
    run = start(loadgen, 25)
    with (
        connections(run.worker_port, HALF_OPEN // 2),
        connections(run.worker_port, HALF_OPEN // 2, GREETING[:12]),
        Worker(run, keys(loadgen), "friend") as friend,
    ):
        began = time.monotonic()
        assert friend.is_answered(), run.logs()
        waited = time.monotonic() - began
    assert_untouched(run)
    outcome(f"verdict passed; an accepted worker still gets its answer within {waited:.1f} s")


@pytest.mark.fault(
    PART,
    "Strangers send slow ZeroMQ greetings, random bytes, frames of 2^63 bytes, TLS and HTTP.",
)
def test_what_is_no_zmtp_is_cut_off(loadgen: Runner, outcome: Outcome) -> None:
    run = start(loadgen, 10)
    noise = random.Random(1)
    frame = b"\x06" + (2**63 - 1).to_bytes(8)
    openings = [
        *(noise.randbytes(500) for _ in range(50)),
        *(GREETING + noise.randbytes(300) for _ in range(50)),
        GREETING + frame + b"x" * 1000,
        GREETING[:11] + b"\0" + b"NULL".ljust(20, b"\0") + b"\0" * 32 + frame,
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + os.urandom(500),
    ]
    for opening in openings:
        with connections(run.worker_port, 1, opening):
            pass
    with connections(run.worker_port, 20) as slow, Worker(run, keys(loadgen), "friend") as friend:
        for byte in GREETING[:20]:
            for peer in slow:
                with contextlib.suppress(OSError):
                    peer.sendall(bytes([byte]))
            time.sleep(0.05)
        assert friend.is_answered(), run.logs()
    assert_untouched(run)
    outcome(f"verdict passed; the master closed all {len(openings)} kinds of connections")
