"""Strangers at the worker port get nothing: no users, no locustfile, no crash."""

import time
from importlib.metadata import version
from pathlib import Path

import msgpack
import pytest
import zmq

from loadgen.node import channel
from tests.faults.record import Outcome
from tests.local.conftest import Run, Runner

PART = "Attackers: worker port"
LOCUST_VERSION = version("locust")
PATIENCE_MILLISECONDS = 1500
MESSAGES = (
    ("client_ready", LOCUST_VERSION, "stranger"),
    ("locustfile", {"version": LOCUST_VERSION}, "stranger"),
    ("heartbeat", None, "stranger"),
    ("quit", None, "stranger"),
)


def say_everything(socket: zmq.Socket[bytes], port: int) -> list[bytes]:
    """Speak the worker protocol; return whatever comes back."""
    socket.setsockopt(zmq.IDENTITY, b"stranger")
    socket.linger = 0
    socket.connect(f"tcp://127.0.0.1:{port}")
    for message in MESSAGES:
        socket.send(msgpack.packb(message))
    answers = []
    while socket.poll(PATIENCE_MILLISECONDS):
        answers.append(socket.recv())
    return answers


@pytest.fixture
def run(loadgen: Runner) -> Run:
    run = loadgen.start("--users", "4", "--run-time", "8s", "--workers", "2")
    run.wait_for("Loading")
    return run


def assert_untouched(run: Run) -> None:
    assert run.wait() == 0, run.output + run.logs()
    assert run.summary["workers"] == {"expected": 2, "seen": 2, "lost": 0}
    assert "stranger (index" not in run.logs()


@pytest.mark.fault(PART, "the worker protocol in the clear")
def test_stranger_in_the_clear_gets_nothing(outcome: Outcome, run: Run) -> None:
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        answers = say_everything(socket, run.worker_port)

    assert answers == []
    assert_untouched(run)
    outcome("no answer; run passed")


@pytest.mark.fault(PART, "the worker protocol under a key that nobody admitted")
def test_stranger_under_an_unknown_key_gets_nothing(
    outcome: Outcome, run: Run, loadgen: Runner
) -> None:
    server_key = next(Path(loadgen.temporary).glob("loadgen-run-*/master.key"))
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        # It even knows the master's public key; its own is not admitted.
        socket.curve_serverkey = channel.load_public_key(server_key)
        socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
        answers = say_everything(socket, run.worker_port)

    assert answers == []
    assert_untouched(run)
    assert "Refused a stranger at the worker port from 127.0.0.1" in run.logs()
    outcome("no answer; run passed; the log has the stranger's address")


def test_admitted_key_is_answered_so_the_silence_above_means_refusal(
    run: Run, loadgen: Runner
) -> None:
    keys = next(Path(loadgen.temporary).glob("loadgen-run-*/master.key")).parent
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        channel.secure_client(socket, keys)
        socket.setsockopt(zmq.IDENTITY, b"friend")
        socket.linger = 0
        socket.connect(f"tcp://127.0.0.1:{run.worker_port}")
        socket.send(msgpack.packb(("locustfile", {"version": LOCUST_VERSION}, "friend")))
        deadline = time.monotonic() + 20
        while not socket.poll(100):
            assert time.monotonic() < deadline, run.logs()
        assert b"HelloUser" in socket.recv()

    assert run.wait() == 0, run.output
