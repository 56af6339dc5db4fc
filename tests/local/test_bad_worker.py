"""A worker with a good key and bad manners: the master and the other workers go on."""

import itertools
from pathlib import Path

import msgpack
import pytest
import zmq

from loadgen.node import channel
from tests.faults.record import Outcome
from tests.local.conftest import Run, Runner

TYPES = (
    "client_ready", "locustfile", "client_stopped", "heartbeat", "stats", "spawning",
    "spawning_complete", "logs", "quit", "exception", "no such type", 7, None,
)  # fmt: skip
SHAPES: tuple[object, ...] = (
    None,
    1,
    "text",
    [],
    {},
    {"state": {}},
    {"stats": 1},
    {"user_classes_count": "x"},
    b"\xff",
)
NAME = "bad"


def messages() -> list[bytes]:
    """Every message type with every wrong shape, and what is no message at all."""
    shaped = [msgpack.packb((kind, data, NAME)) for kind, data in itertools.product(TYPES, SHAPES)]
    torn = [b"", b"\xc1", b"\x93", msgpack.packb(1), msgpack.packb([1, 2]), b"\x91" * 5000]
    torn += [
        msgpack.packb(("stats", {"__datetime__": 1}, NAME)),
        msgpack.packb(("stats", {"__ObjectId__": 1, "as_str": "x"}, NAME)),
    ]
    torn.append(msgpack.packb(("stats", {}, "somebody else")))
    return shaped + torn


@pytest.fixture
def run(loadgen: Runner) -> Run:
    run = loadgen.start("--users", "4", "--run-time", "8s", "--workers", "2")
    run.wait_for("Loading")
    return run


@pytest.mark.fault(
    "Attackers: a worker with a valid key",
    "A worker sends messages of unknown type, any length and any structure.",
)
def test_every_malformed_message_is_dropped(outcome: Outcome, run: Run, loadgen: Runner) -> None:
    keys = next(Path(loadgen.temporary).glob("loadgen-run-*/master.key")).parent
    with zmq.Context() as context, context.socket(zmq.DEALER) as socket:
        channel.secure_client(socket, keys)
        socket.setsockopt(zmq.IDENTITY, NAME.encode())
        socket.linger = 5000
        socket.connect(f"tcp://127.0.0.1:{run.worker_port}")
        for message in messages():
            socket.send(message)

    code = run.wait()

    # It came and quit between two looks at the workers, or was seen and lost: either is the truth.
    assert code in (0, 3), run.output + run.logs()
    assert "malformed" in run.logs()
    assert "can't be read" in run.logs()
    assert "another worker as its sender" in run.logs()
    assert run.summary["requests"] >= 20
    assert run.summary["failures"] == 0
    outcome(
        f"verdict {run.summary['verdict']}; the master drops each message, and its log names "
        "the worker"
    )
