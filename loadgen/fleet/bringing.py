"""Brings a scenario and its packages to the nodes that don't have them, to all of them at once.

    python -m loadgen.fleet.bringing INVENTORY HOST

brings what a run under way uses from the master to a host that joins it; `make deploy` calls it
before it writes run.json there. It does nothing when no run is under way.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Literal

from loadgen.cluster.packages import Packages
from loadgen.cluster.scenario import BYTES_MAX, Scenario
from loadgen.fleet.connections.ssh import (
    Outcomes,
    Remote,
    agent_command,
    ask,
    on_all,
    require_pace,
)
from loadgen.fleet.foreign_tar import DAMAGED, members_of
from loadgen.fleet.inventory import limit, load_inventory
from loadgen.fleet.requests import Give, NodeReport, Status, Take
from loadgen.shared import command
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
                raise OperationError(
                    f"the user ended the command while the {request.kind} was being copied"
                )
            yield os.pread(descriptor, CHUNK_BYTES, offset)

    packed.flush()
    outcomes: Outcomes[NodeReport] = on_all(
        remotes, lambda remote: ask(remote, request, pieces(), TAKE_SECONDS)
    )
    if outcomes.faults and not stopped():
        raise NodeError(
            f"the run's {request.kind} could not be copied to {len(outcomes.faults)} "
            f"of {len(remotes)} hosts, so nothing was started",
            outcomes.faults,
        )


def one_platform(reports: Mapping[str, NodeReport]) -> tuple[str, str]:
    """Return the Python and the platform of wheels that suit every node. NodeError: none does."""
    kinds = {name: f"Python {one.python_version}" for name, one in reports.items()}
    if len(set(kinds.values())) > 1:
        raise NodeError(
            "all hosts must have the same version of Python for the scenario's packages, "
            "but their versions are",
            kinds,
        )
    oldest = min(reports.values(), key=lambda one: int(one.platform.split("_")[2]))
    return oldest.python_version, oldest.platform


def join(master: Remote, host: Remote) -> None:
    """Copy the scenario and the packages of the master's run. OperationError: it can't be done."""
    report = ask(master, Status())
    if report.scenario:
        _copy(master, host, "scenario", report.scenario)
    for packages in report.packages:
        _copy(master, host, "installed", packages)


def _copy(
    master: Remote, host: Remote, kind: Literal["scenario", "installed"], sha256: str
) -> None:
    with tempfile.TemporaryFile() as packed:
        request = Give(kind=kind, sha256=sha256)
        content, began = request.model_dump_json().encode() + b"\n", time.monotonic()
        for chunk in master.stream(agent_command(Give), content):
            packed.write(chunk)
            require_pace(master.node, began, packed.tell())
            if packed.tell() > BYTES_MAX:
                raise OperationError(
                    f"{master.node.name} sent more data than a scenario may have; check that host"
                )
        take = Take(kind=kind, sha256=sha256, bytes=_unpacked(packed))
        send({host.node.name: host}, take, packed, lambda: False)


def _unpacked(packed: IO[bytes]) -> int:
    packed.seek(0)
    try:
        return sum(member.size for member, _ in members_of(packed))
    except DAMAGED as error:
        raise OperationError(
            f"the archive from the master can't be unpacked ({error}), so nothing of "
            f"it was kept; repeat the command"
        ) from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Bring one host what the run has; a fault is one sentence."""
    parser = argparse.ArgumentParser(prog="python -m loadgen.fleet.bringing", description=__doc__)
    parser.add_argument("inventory", type=Path)
    parser.add_argument("host")
    options = parser.parse_args(arguments)

    def carry_out() -> None:
        fleet = load_inventory(options.inventory)
        (node,) = limit(fleet.workers, options.host)
        master, host = Remote(fleet.master), Remote(node)
        try:
            join(master, host)
        finally:
            master.close()
            host.close()

    return command.ending(carry_out)


if __name__ == "__main__":
    sys.exit(main())
