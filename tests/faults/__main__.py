"""Runs the fault suite and writes its table: the cases on a fleet beside those on one machine.

Both wait most of the time, and together they take half of it. A lab is made first, and taken down
again, unless there is one.
"""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults import table
from tests.faults.record import ROWS
from tests.lab.fleet import INVENTORY

ROOT = Path(__file__).resolve().parents[2]
FLEET = "tests/faults/fleet"


def start(paths: list[str], log: Path) -> "subprocess.Popen[bytes]":
    """Start pytest; a Ctrl-C reaches it as it reaches us."""
    command = [sys.executable, "-m", "pytest", "-m", "fault", *paths]
    with log.open("wb") as output:
        return subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)


@contextmanager
def lab() -> Iterator[None]:
    """Bring up a lab, if there is none, and deploy its fleet: that needs the whole machine."""
    was_up = INVENTORY.exists()
    try:
        if not was_up:
            make("lab", "LAB_WORKERS=2")
        make("deploy", f"INVENTORY={INVENTORY}")
        yield
    finally:
        if not was_up:
            make("lab-down")


def make(*words: str) -> None:
    with (ROWS / "lab.log").open("ab") as output:
        command = ["make", *words]
        code = subprocess.run(command, cwd=ROOT, stdout=output, stderr=output, check=False)
    if code.returncode:
        sys.exit(f"{shlex.join(command)} failed, nothing was broken: see {ROWS}/lab.log")


def main() -> int:
    """Run everything; return 0 when every case held and the table is whole."""
    shutil.rmtree(ROWS, ignore_errors=True)
    ROWS.mkdir(parents=True)
    print(f"Breaking everything takes half an hour; what is done now: {ROWS}/*.log", flush=True)
    local = [path for path in table.PATHS if (ROOT / path).exists()]
    with lab():
        parts = {
            "fleet": start([FLEET], ROWS / "fleet.log"),
            "local": start([*local, f"--ignore={FLEET}"], ROWS / "local.log"),
        }
        try:
            codes = [part.wait() for part in parts.values()]
        finally:
            for part in parts.values():
                part.wait()
    for name in parts:
        print((ROWS / f"{name}.log").read_text(), flush=True)
    return max(*codes, table.main())


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("Interrupted: the table stays as it was")
