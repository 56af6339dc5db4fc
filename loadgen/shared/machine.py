"""A description of a machine, as far as it matters for a measurement; it is kept with each run."""

import os
import platform
import subprocess
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

CLOCK_SOURCE = Path("/sys/devices/system/clocksource/clocksource0/current_clocksource")


# What a host sends is untrusted, so it is checked and limited where it is read.
TEXT_CHARACTERS_MAX = 200
Text = Annotated[str, Field(max_length=TEXT_CHARACTERS_MAX)]
Count = Annotated[int, Field(ge=0, le=2**60)]


class Machine(BaseModel):
    """One machine. Empty text and 0 are what could not be found out.

    `load_before` is the number of processes that wanted to run, on average over the last minute.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: Text
    cpu_model: Text = ""
    cores: Count = 0
    kernel: Text = ""
    system: Text = ""
    memory_bytes: Count = 0
    virtualisation: Text = ""
    load_before: Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)] = 0.0
    clock_source: Text = ""

    @property
    def kind(self) -> str:
        """What a machine of the same make shares with it."""
        gib = f"{self.memory_bytes / 2**30:.1f} GiB"
        return f"{self.cores} cores of {self.cpu_model or 'an unknown CPU'}, {gib}"

    @property
    def sentence(self) -> str:
        """One line for a person."""
        parts = [
            self.kind,
            self.system,
            f"kernel {self.kernel}",
            f"in {self.virtualisation}" if self.virtualisation not in ("", "none") else "",
            f"clock {self.clock_source}" if self.clock_source else "",
            f"load {self.load_before:.2f} before",
        ]
        return f"{self.name}: {', '.join(part for part in parts if part)}"


def this_machine(name: str | None = None) -> Machine:
    """Describe this machine as it is now; raises nothing."""
    return Machine(
        name=(name or platform.node())[:TEXT_CHARACTERS_MAX],
        cpu_model=_field(Path("/proc/cpuinfo"), "model name"),
        cores=os.cpu_count() or 0,
        kernel=platform.release()[:TEXT_CHARACTERS_MAX],
        system=_field(Path("/etc/os-release"), "PRETTY_NAME", "="),
        memory_bytes=1024 * int(_field(Path("/proc/meminfo"), "MemTotal").split()[0] or 0),
        virtualisation=_virtualisation(),
        load_before=os.getloadavg()[0],
        clock_source=_read(CLOCK_SOURCE).strip(),
    )


def free_memory_bytes() -> int:
    """Return how much memory programs can still take here; without bound where nobody says."""
    kibibytes = _field(Path("/proc/meminfo"), "MemAvailable").split()
    return 1024 * int(kibibytes[0]) if kibibytes else 2**60


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _field(path: Path, name: str, separator: str = ":") -> str:
    for line in _read(path).splitlines():
        key, _, value = line.partition(separator)
        if key.strip() == name:
            return value.strip().strip('"')[:TEXT_CHARACTERS_MAX]
    return "0" if name == "MemTotal" else ""


def _virtualisation() -> str:
    try:
        found = subprocess.run(
            ["systemd-detect-virt"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return found.stdout.strip()
