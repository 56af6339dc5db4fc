"""Looks at a run's locustfiles before the run, in a process of their own."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from loadgen.node.locustfile_check import Inspection, parse_inspection

INSPECTION_SECONDS = 60


def look_at(
    paths: Sequence[str],
    environment: Mapping[str, str],
    packages: Path | None = None,
    directory: Path | None = None,
) -> Inspection:
    """Import locustfiles under the environment that a run's processes will have, and nothing else.

    `packages` are those that the scenario brings; `directory` is the working directory.
    """
    own = [f"--packages={packages}"] if packages else []
    try:
        finished = subprocess.run(
            [sys.executable, "-m", "loadgen.node.locustfile_check", *own, *paths],
            capture_output=True,
            text=True,
            timeout=INSPECTION_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            # Ctrl-C in a terminal is for the run, which looks at it when this is over.
            start_new_session=True,
            env=dict(environment),
            cwd=directory,
        )
    except subprocess.TimeoutExpired:
        return Inspection(error=f"importing it took more than {INSPECTION_SECONDS} s")
    try:
        return parse_inspection(finished.stdout)
    except ValueError as error:
        detail = finished.stderr.strip().splitlines()[-1:] or [str(error)]
        return Inspection(error=detail[0])
