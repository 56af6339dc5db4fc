"""Finds locustfiles and looks at them before a run, in a process of their own."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from loadgen.node.locustfile_check import Inspection, parse_inspection
from loadgen.shared.errors import UsageError
from loadgen.shared.project import PROJECT
from loadgen.specification.run import RunSpecification

INSPECTION_SECONDS = 60


def find_locustfile(path: str) -> Path:
    """Return a locustfile's absolute path: from the working directory, else from the project."""
    return find_locustfiles([path])[0]


def find_locustfiles(paths: Sequence[str]) -> list[Path]:
    """Return locustfiles' absolute paths; a directory stands for all in it, as with plain Locust.

    UsageError names a path that is none. Files that begin with _ are no locustfiles.
    """
    return [file for path in paths for file in _found(path)]


def _found(path: str) -> list[Path]:
    for base in (Path.cwd(), PROJECT):
        candidate = (base / path).resolve()
        if candidate.is_file():
            return [candidate]
        if candidate.is_dir():
            files = sorted(candidate.rglob("*.py"))
            usable = [file for file in files if not file.name.startswith("_")]
            if not usable:
                raise UsageError(
                    f"--locustfile {path} is a directory without a locustfile: give the path of a"
                    " Python file with a User class"
                )
            return usable
    raise UsageError(
        f"--locustfile {path} was not found in {Path.cwd()}: give the path of a Python file with a "
        "User class"
    )


def look_at(specification: RunSpecification, environment: Mapping[str, str]) -> Inspection:
    """Import a run's locustfiles under the environment that its processes will have."""
    files = [str(path) for path in find_locustfiles(specification.locustfiles)]
    try:
        finished = subprocess.run(
            [sys.executable, "-m", "loadgen.node.locustfile_check", *files],
            capture_output=True,
            text=True,
            timeout=INSPECTION_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            # Ctrl-C in a terminal is for the run, which looks at it when this is over.
            start_new_session=True,
            env={**environment, **specification.node_environment(environment)},
        )
    except subprocess.TimeoutExpired:
        return Inspection(error=f"importing it took more than {INSPECTION_SECONDS} s")
    try:
        return parse_inspection(finished.stdout)
    except ValueError as error:
        detail = finished.stderr.strip().splitlines()[-1:] or [str(error)]
        return Inspection(error=detail[0])
