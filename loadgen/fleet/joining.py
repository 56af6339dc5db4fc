"""Brings what a run under way uses to a host that joins it: from the master, over this machine.

    python -m loadgen.fleet.joining INVENTORY HOST

`make deploy` calls it before it writes run.json there. It does nothing when no run is under way.
"""

import argparse
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Literal

from loadgen.cluster.scenario import BYTES_MAX
from loadgen.fleet.bringing import send
from loadgen.fleet.connections.ssh import Remote, agent_command, ask
from loadgen.fleet.inventory import limit, load_inventory
from loadgen.fleet.requests import Give, Status, Take
from loadgen.shared import command
from loadgen.shared.errors import OperationError


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
        content = request.model_dump_json().encode() + b"\n"
        for chunk in master.stream(agent_command(Give), content):
            packed.write(chunk)
            if packed.tell() > BYTES_MAX:
                raise OperationError(f"{master.node.name} sends more than a scenario may have")
        take = Take(kind=kind, sha256=sha256, bytes=_unpacked(packed))
        send({host.node.name: host}, take, packed, lambda: False)


def _unpacked(packed: IO[bytes]) -> int:
    packed.seek(0)
    try:
        with tarfile.open(fileobj=packed, mode="r:gz") as members:
            return sum(member.size for member in members)
    except (tarfile.TarError, EOFError, OSError) as error:
        raise OperationError(f"what the master sent is damaged: {error}") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Bring one host what the run has; a fault is one sentence."""
    parser = argparse.ArgumentParser(prog="python -m loadgen.fleet.joining", description=__doc__)
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
