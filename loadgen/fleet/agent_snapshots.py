"""Prints the master's snapshots on its own machine, a JSON line each, until interrupted.

    python -m loadgen.fleet.agent_snapshots

A process of its own that doesn't import Locust: it starts while the run's master does.
"""

import contextlib
import sys
from pathlib import Path

import zmq

from loadgen.fleet import agent_files as files
from loadgen.node.settings import SETTINGS, load_node_settings
from loadgen.shared import command
from loadgen.shared.snapshot import SNAPSHOT_BYTES_MAX, as_json

WAITING_MAX = 4
"""Snapshots that ZeroMQ keeps until they are read, each of up to so many bytes."""


def follow(settings: Path) -> None:
    """Print each snapshot of the master.

    Root starts this on a fleet, and anybody who can write to the socket's directory could answer
    instead of the master. So it reads as that user, and leaves out what is no snapshot.
    """
    node = load_node_settings(settings)
    with files.as_owner(), zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.setsockopt(zmq.MAXMSGSIZE, SNAPSHOT_BYTES_MAX)
        socket.setsockopt(zmq.RCVHWM, WAITING_MAX)
        socket.subscribe(b"")
        socket.connect(node.publisher_endpoint)
        while True:
            with contextlib.suppress(ValueError):
                sys.stdout.buffer.write(as_json(socket.recv()) + b"\n")
                sys.stdout.buffer.flush()


if __name__ == "__main__":
    sys.exit(command.ending(lambda: follow(SETTINGS)))
