"""Runs the fault suite and writes its table: the cases on a fleet beside those on one machine.

Both wait most of the time, and together they take half of it.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.faults import table
from tests.faults.record import ROWS

ROOT = Path(__file__).resolve().parents[2]
FLEET = "tests/faults/fleet"


def start(paths: list[str], log: Path) -> "subprocess.Popen[bytes]":
    """Start pytest; a Ctrl-C reaches it as it reaches us."""
    command = [sys.executable, "-m", "pytest", "-m", "fault", *paths]
    with log.open("wb") as output:
        return subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)


def main() -> int:
    """Run everything; return 0 when every case held and the table is whole."""
    shutil.rmtree(ROWS, ignore_errors=True)
    ROWS.mkdir(parents=True)
    local = [path for path in table.PATHS if (ROOT / path).exists()]
    parts = {
        "fleet": start([FLEET], ROWS / "fleet.log"),
        "local": start([*local, f"--ignore={FLEET}"], ROWS / "local.log"),
    }
    print(f"Breaking everything takes half an hour; what is done now: {ROWS}/*.log", flush=True)
    try:
        codes = [part.wait() for part in parts.values()]
    finally:
        for part in parts.values():
            part.wait()
    for name in parts:
        print((ROWS / f"{name}.log").read_text(), flush=True)
    return max(*codes, table.main())


if __name__ == "__main__":
    sys.exit(main())
