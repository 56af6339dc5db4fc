"""Finds a locustfile and looks at it before a run."""

from pathlib import Path

from loadgen.shared.errors import UsageError
from loadgen.shared.project import PROJECT


def find_locustfile(path: str) -> Path:
    """Return a locustfile's absolute path: from the working directory, else from the project."""
    for base in (Path.cwd(), PROJECT):
        candidate = (base / path).resolve()
        if candidate.is_file() or (candidate / "__init__.py").is_file():
            return candidate
    raise UsageError(
        f"--locustfile {path} was not found in {Path.cwd()}: give the path of a Python file with a "
        "User class"
    )
