"""Looks at a run's locustfiles before the run, in a process of their own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from loadgen.cluster.packages import own_packages
from loadgen.cluster.scenario import Scenario
from loadgen.node.locustfile_check import Inspection, parse_inspection
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
    try:
        return parse_inspection(finished.stdout)
    except ValueError as error:
        detail = finished.stderr.strip().splitlines()[-1:] or [str(error)]
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
