"""The kit's systemd units on one node: which there are, what they do, and their processes."""

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from loadgen.shared.errors import OperationError

MASTER_UNIT = "loadgen-master.service"
EXPORTER_UNIT = "loadgen-exporter.service"


def systemctl(*words: str, check: bool = True) -> str:
    """Run systemctl. OperationError: what it said."""
    finished = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    if check and finished.returncode != 0:
        raise OperationError(
            f"systemctl {' '.join(words)}: {finished.stderr.strip()}; see journalctl -u {words[-1]}"
        )
    return finished.stdout


def units() -> dict[str, str]:
    """Return the kit's enabled units on this node and their active state, sorted by number."""
    listed = systemctl("list-unit-files", "--plain", "--no-legend", "--full", "loadgen-*.service")
    files = {line.split()[0] for line in listed.splitlines() if line.strip()}
    wants = Path("/etc/systemd/system/multi-user.target.wants")
    instances = {path.name for path in wants.glob("loadgen-worker@*.service")}
    names = (files & {MASTER_UNIT, EXPORTER_UNIT}) | instances
    return {
        name: systemctl("is-active", name, check=False).strip()
        for name in sorted(names, key=_number)
    }


def _number(unit: str) -> tuple[str, int]:
    kind, _, number = unit.removesuffix(".service").partition("@")
    return kind, int(number) if number.isdecimal() else 0


def worker_units() -> list[str]:
    """Return the names of this node's worker units, enabled ones only."""
    return [name for name in units() if name.startswith("loadgen-worker@")]


def main_process(unit: str) -> int:
    """Return the id of a unit's process, 0 when it has none."""
    return int(systemctl("show", "--property=MainPID", "--value", unit))


def still_there(processes: Mapping[str, int], seconds: float) -> dict[str, int]:
    """Return those processes, ids by unit, that are not gone after so many seconds."""
    deadline = time.monotonic() + seconds
    while left := {name: one for name, one in processes.items() if Path(f"/proc/{one}").exists()}:
        if time.monotonic() > deadline:
            return left
        time.sleep(0.1)
    return {}
