"""Strangers at the worker port get nothing: no users, no locustfile, no crash."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import msgpack
import pytest
import zmq

from loadgen.node import channel
from tests.faults.record import Outcome
from tests.local.conftest import Run, Runner

PART = "Attackers: the worker port"
LOCUST_VERSION = version("locust")
PATIENCE_MILLISECONDS = 1500
MESSAGES = (
    ("client_ready", LOCUST_VERSION, "stranger"),
    ("locustfile", {"version": LOCUST_VERSION}, "stranger"),
    ("heartbeat", None, "stranger"),
    ("quit", None, "stranger"),
)


def say_everything(socket: zmq.Socket[bytes], port: int) -> None:
    """Speak the worker protocol."""
    socket.setsockopt(zmq.IDENTITY, b"stranger")
    socket.linger = 0
    socket.connect(f"tcp://127.0.0.1:{port}")
    for message in MESSAGES:
        socket.send(msgpack.packb(message))


def what_comes_back(socket: zmq.Socket[bytes]) -> list[bytes]:
    """Return every answer until nothing more comes."""
    answers = []
    while socket.poll(PATIENCE_MILLISECONDS):
        answers.append(socket.recv())
    return answers


@dataclass
class Heard:
    """A run that has ended, and what strangers and a friend heard from it meanwhile."""

    run: Run
    in_the_clear: list[bytes]
    under_an_unknown_key: list[bytes]
    friend: bytes


@pytest.fixture(scope="module")
def heard(shared_loadgen: Runner) -> Heard:
    run = shared_loadgen.start("--users", "4", "--run-time", "7s", "--workers", "2")
    run.wait_for("Loading")
    keys = next(Path(shared_loadgen.temporary).glob("loadgen-run-*/master.key")).parent
    with zmq.Context() as context:
        with context.socket(zmq.DEALER) as clear, context.socket(zmq.DEALER) as unknown:
            # The second even knows the master's public key; its own is not admitted.
            unknown.curve_serverkey = channel.load_public_key(keys / "master.key")
            unknown.curve_publickey, unknown.curve_secretkey = zmq.curve_keypair()
            say_everything(clear, run.worker_port)
            say_everything(unknown, run.worker_port)
            clear_answers, unknown_answers = what_comes_back(clear), what_comes_back(unknown)
        friend = ask_for_locustfile(context, keys, run)
    code = run.wait()
    assert code == 0, run.output + run.logs()
    return Heard(run, clear_answers, unknown_answers, friend)


def ask_for_locustfile(context: zmq.Context[zmq.Socket[bytes]], keys: Path, run: Run) -> bytes:
    """Ask under an admitted key; return the answer."""
    with context.socket(zmq.DEALER) as socket:
        channel.secure_client(socket, keys)
        socket.setsockopt(zmq.IDENTITY, b"friend")
        socket.linger = 0
        socket.connect(f"tcp://127.0.0.1:{run.worker_port}")
        socket.send(msgpack.packb(("locustfile", {"version": LOCUST_VERSION}, "friend")))
        assert socket.poll(20_000), run.logs()
        return socket.recv()


@pytest.mark.fault(PART, "A stranger uses the worker protocol without encryption.")
def test_stranger_in_the_clear_gets_nothing(outcome: Outcome, heard: Heard) -> None:
    assert heard.in_the_clear == []
    assert heard.run.summary["workers"] == {"expected": 2, "seen": 2, "lost": 0}
    assert "stranger (index" not in heard.run.logs()
    outcome("verdict passed; the stranger gets no answer")


@pytest.mark.fault(
    PART, "A stranger uses the worker protocol with a key that the master does not accept."
)
def test_stranger_under_an_unknown_key_gets_nothing(outcome: Outcome, heard: Heard) -> None:
    assert heard.under_an_unknown_key == []
    assert "Refused a connection to the worker port from 127.0.0.1" in heard.run.logs()
    outcome("verdict passed; the stranger gets no answer, and the log shows its address")


def test_admitted_key_is_answered_so_the_silence_above_means_refusal(heard: Heard) -> None:
    assert b"HelloUser" in heard.friend
