"""The kit's systemd units on one node: which there are, what they do, and their processes."""

import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from loadgen.shared.errors import OperationError

MASTER_UNIT = "loadgen-master.service"
EXPORTER_UNIT = "loadgen-exporter.service"
WORKER_PREFIX = "loadgen-worker@"
WANTS = Path("/etc/systemd/system/multi-user.target.wants")
UNLIMITED = 1 << 30
PROPERTIES = ("Id", "ActiveState", "MainPID", "NRestarts", "LimitNOFILE")


@dataclass(frozen=True, slots=True)
class Unit:
    """One enabled unit. `process` is 0 when it has none; `open_files` is a process's limit."""

    name: str
    state: str
    process: int
    restarts: int
    open_files: int


class Units(dict[str, Unit]):
    """The kit's enabled units on this node by name, workers by number; systemd is asked once."""

    @classmethod
    def now(cls) -> "Units":
        """Ask systemd."""
        names = enabled_names()
        if not names:
            return cls()
        shown = systemctl("show", f"--property={','.join(PROPERTIES)}", *names)
        return cls((unit.name, unit) for unit in parse_units(shown))

    @property
    def states(self) -> dict[str, str]:
        """Each unit's active state."""
        return {name: unit.state for name, unit in self.items()}

    @property
    def load(self) -> list[str]:
        """The units that make load: master and workers."""
        return [name for name in self if name != EXPORTER_UNIT]

    @property
    def workers(self) -> list[Unit]:
        """The worker units."""
        return [unit for name, unit in self.items() if name.startswith(WORKER_PREFIX)]

    @property
    def master(self) -> Unit | None:
        """The master's unit, where this node is one."""
        return self.get(MASTER_UNIT)


def enabled_names() -> list[str]:
    """Return the names of the kit's enabled units, sorted by number."""
    names = {path.name for path in WANTS.glob("loadgen-*.service")}
    ours = [name for name in names if name in (MASTER_UNIT, EXPORTER_UNIT) or WORKER_PREFIX in name]
    return sorted(ours, key=_number)


def parse_units(shown: str) -> Iterator[Unit]:
    """Read what `systemctl show` prints for several units: a paragraph each."""
    for paragraph in shown.strip().split("\n\n"):
        found = dict(line.split("=", 1) for line in paragraph.splitlines() if "=" in line)
        if "Id" in found:
            yield Unit(
                name=found["Id"],
                state=found.get("ActiveState", "unknown"),
                process=_integer(found.get("MainPID"), 0),
                restarts=_integer(found.get("NRestarts"), 0),
                open_files=_integer(found.get("LimitNOFILE"), UNLIMITED),
            )


def _integer(text: str | None, otherwise: int) -> int:
    return int(text) if text and text.isdecimal() else otherwise


def _number(unit: str) -> tuple[str, int]:
    kind, _, number = unit.removesuffix(".service").partition("@")
    return kind, _integer(number, 0)


def systemctl(*words: str, check: bool = True) -> str:
    """Run systemctl. OperationError: what it said."""
    finished = subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)
    if check and finished.returncode != 0:
        raise OperationError(
            f"systemctl {' '.join(words)} failed: {finished.stderr.strip()}; see journalctl -u "
            f"{words[-1]} on that host"
        )
    return finished.stdout


def kill(signal: str, *names: str) -> None:
    """Send a signal to every process of units; one that has none is well."""
    if names:
        systemctl("kill", f"--signal={signal}", *names, check=False)


def still_there(processes: Mapping[str, int], seconds: float) -> dict[str, int]:
    """Return those processes, ids by unit, that are not gone after so many seconds."""
    deadline = time.monotonic() + seconds
    while left := {name: one for name, one in processes.items() if Path(f"/proc/{one}").exists()}:
        if time.monotonic() > deadline:
            return left
        time.sleep(0.1)
    return {}
