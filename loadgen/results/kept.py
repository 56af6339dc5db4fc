"""What a run keeps so that another person can repeat it: what was asked for, and the scenario.

    results/<run_id>/ specification.json   the fields of the run as they were given
                      scenario/            the files that hosts get, without what looks secret

A scenario beyond the bound is kept as its locustfiles alone. No link is followed.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from loadgen.cluster.scenario import Scenario
from loadgen.results.summary import Provenance
from loadgen.shared.errors import UsageError
from loadgen.shared.files import open_like, read_document, write_text
from loadgen.shared.run_ids import SPECIFICATION_FILE
from loadgen.specification.run import RunSpecification

SCENARIO = "scenario"
BYTES_MAX = 20 * 1024 * 1024


def keep(directory: Path, specification: RunSpecification, scenario: Scenario) -> Provenance:
    """Keep a run's specification and scenario in its directory; return where they came from."""
    fields = specification.model_dump(mode="json", exclude_unset=True)
    members = scenario.listing.members
    if scenario.listing.is_cut or scenario.listing.bytes > BYTES_MAX:
        members = tuple(one for one in members if one.path.as_posix() in scenario.locustfiles)
    for member in members:
        if member.link is None:
            place = directory / SCENARIO / member.path
            place.parent.mkdir(parents=True, exist_ok=True)
            with (
                open(member.source, "rb", opener=_without_links) as source,
                open_like(place, [member.source]) as copy,
            ):
                shutil.copyfileobj(source, copy)
    fields["locustfile"] = ",".join(f"{SCENARIO}/{name}" for name in scenario.locustfiles)
    write_text(directory / SPECIFICATION_FILE, json.dumps(fields, indent=2) + "\n")
    commit, modified = commit_of(scenario.directory)
    return Provenance(commit=commit, modified=modified)


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW)


def kept_fields(directory: Path) -> dict[str, Any]:
    """Return the fields of a kept run, its locustfiles where they are now. UsageError without."""
    path = directory / SPECIFICATION_FILE
    try:
        fields = json.loads(read_document(path))
        names = fields["locustfile"].split(",")
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise UsageError(
            f"{directory} contains no run that can be repeated ({SPECIFICATION_FILE}: "
            f"{error}): give the directory of a run that this release of loadgen made"
        ) from error
    root = directory.resolve()
    found = [(root / name).resolve() for name in names]
    if not all(file.is_relative_to(root) and file.is_file() for file in found):
        raise UsageError(
            f"{directory} lacks files of the scenario that {path} names ({', '.join(names)}): "
            f"give a run whose directory is complete"
        )
    return {**fields, "locustfile": ",".join(map(str, found))}


def commit_of(directory: Path) -> tuple[str, bool | None]:
    """Return the Git commit of a directory, and whether anything differs from it; "" without."""
    commit = _git(directory, "rev-parse", "HEAD")
    changes = _git(directory, "status", "--porcelain", "--untracked-files=no") if commit else None
    return commit or "", None if changes is None else bool(changes)


def _git(directory: Path, *words: str) -> str | None:
    try:
        found = subprocess.run(
            ["git", "-C", str(directory), *words],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() if found.returncode == 0 else None
