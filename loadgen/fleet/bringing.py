"""Brings a scenario and its packages to the nodes that don't have them, to all of them at once."""

import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import IO

from loadgen.cluster.packages import Packages
from loadgen.cluster.scenario import Scenario
from loadgen.fleet.connections.ssh import Outcomes, Remote, ask, on_all
from loadgen.fleet.requests import NodeReport, Take
from loadgen.shared.errors import NodeError, OperationError

CHUNK_BYTES = 1 << 18
TAKE_SECONDS = 300.0


def bring_scenario(
    remotes: Mapping[str, Remote], scenario: Scenario, sha256: str, stopped: Callable[[], bool]
) -> None:
    """Bring a scenario. NodeError: a node doesn't have it now, and nobody stopped."""
    with tempfile.TemporaryFile() as packed:
        scenario.pack(packed)
        request = Take(kind="scenario", sha256=sha256, bytes=scenario.listing.bytes)
        send(remotes, request, packed, stopped)


def bring_packages(
    remotes: Mapping[str, Remote], packages: Packages, stopped: Callable[[], bool]
) -> None:
    """Bring wheels, which each node installs. NodeError: as above."""
    if not remotes:
        return
    request = Take(kind="packages", sha256=packages.sha256, bytes=packages.bytes)
    with packages.archive.open("rb") as packed:
        send(remotes, request, packed, stopped)


def send(
    remotes: Mapping[str, Remote], request: Take, packed: IO[bytes], stopped: Callable[[], bool]
) -> None:
    """Send one archive to all of them. NodeError: a node could not take it, and nobody stopped."""
    packed.seek(0, os.SEEK_END)
    size = packed.tell()
    # One archive for all: each node's thread reads it at a place of its own.
    descriptor = packed.fileno()

    def pieces() -> Iterator[bytes]:
        for offset in range(0, size, CHUNK_BYTES):
            if stopped():
                raise OperationError("the user stopped while it was being sent")
            yield os.pread(descriptor, CHUNK_BYTES, offset)

    packed.flush()
    outcomes: Outcomes[NodeReport] = on_all(
        remotes, lambda remote: ask(remote, request, pieces(), TAKE_SECONDS)
    )
    if outcomes.faults and not stopped():
        raise NodeError(
            f"the run's {request.kind} could not be brought to {len(outcomes.faults)} of "
            f"{len(remotes)} nodes, nothing was started",
            outcomes.faults,
        )
