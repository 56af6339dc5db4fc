"""Looks at a run's locustfiles before the run, in a process of their own."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from loadgen.cluster.packages import own_packages
from loadgen.cluster.scenario import Scenario
from loadgen.node.locustfile_check import Inspection, parse_inspection
from loadgen.shared.processes import Starter
from loadgen.shared.project import PROJECT

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
    return _understood(finished.stdout, finished.stderr)


def look_from(
    start: Starter, paths: Sequence[str], environment: Mapping[str, str], packages: Path | None
) -> Inspection:
    """Look as `look_at` does, in a process that `start` starts."""
    own = [f"--packages={packages}"] if packages else []
    reader, writer = os.pipe()
    with open(reader, "rb") as said, tempfile.TemporaryFile() as errors:  # noqa: PTH123 - a pipe
        try:
            process = start(
                ["loadgen.node.locustfile_check", *own, *paths],
                environment,
                [writer, errors.fileno()],
            )
        finally:
            os.close(writer)
        if not _ends(said.fileno(), output := bytearray()):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            return Inspection(error=f"importing it took more than {INSPECTION_SECONDS} s")
        errors.seek(0)
        return _understood(output.decode(errors="replace"), errors.read().decode(errors="replace"))


def _ends(reader: int, output: bytearray) -> bool:
    """Read to the end of a pipe; False when it takes too long."""
    deadline = time.monotonic() + INSPECTION_SECONDS
    while select.select([reader], [], [], max(0.0, deadline - time.monotonic()))[0]:
        part = os.read(reader, 1 << 16)
        if not part:
            return True
        output += part
    return False


def _understood(output: str, errors: str) -> Inspection:
    try:
        return parse_inspection(output)
    except ValueError as error:
        detail = errors.strip().splitlines()[-1:] or [str(error)]
        return Inspection(error=detail[0])


def look_as_node(
    scenario: Scenario, environment: Mapping[str, str], requirements: Path | None
) -> Inspection:
    """Look at a scenario as a node would: in its directory, with what units set, and no more."""
    packages = requirements and own_packages(requirements)
    with tempfile.TemporaryDirectory(prefix="loadgen-home-") as home:
        unit = {
            "HOME": home,
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
            "PYTHONPATH": str(PROJECT),
            "PYTHONUNBUFFERED": "1",
            "USER": "loadgen",
        }
        return look_at(
            scenario.paths, {**unit, **environment}, packages, directory=scenario.directory
        )


def variables_notice(absent: Sequence[str], own: Mapping[str, str]) -> str | None:
    """Say which variables a scenario looks for, that this machine has and nodes don't."""
    here = [name for name in absent if name in own]
    if not here:
        return None
    return (
        f"The locustfile looks for {', '.join(here)} in the environment, which this machine has "
        f"and the hosts don't: give {' '.join(f'--env {name}' for name in here)} if they need it"
    )
