"""Advisories from a file, for a machine from which no advisory service can be reached.

The file is one of OSV's exports: a .zip of records, as OSV publishes one for PyPI (`all.zip`), or a
.json with a record or a list of them. What a record says: https://ossf.github.io/osv-schema/.
"""

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

ECOSYSTEM = "PyPI"
Record = Mapping[str, Any]


@dataclass(frozen=True)
class Advisories:
    """What a file knows: affected packages by their normal name, and when it was written."""

    by_name: Mapping[str, list[tuple[str, Record]]]
    count: int
    newest: str

    def of(self, name: str, version: str) -> list[dict[str, Any]]:
        """Return the weaknesses of one package, as pip-audit describes them."""
        return [
            {"id": identifier, "fix_versions": fixes(affected, Version(version))}
            for identifier, affected in self.by_name.get(canonicalize_name(name), [])
            if affects(affected, Version(version))
        ]


def read(path: Path) -> Advisories:
    """Read an export. OSError: it can't be read. ValueError: it is none, or has no advisory."""
    by_name: dict[str, list[tuple[str, Record]]] = {}
    count, newest = 0, ""
    for record in _records(path):
        affected = [one for one in record.get("affected", []) if _is_of_pypi(one)]
        if not affected or "withdrawn" in record:
            continue
        count += 1
        newest = max(newest, str(record.get("modified", "")))
        for one in affected:
            name = canonicalize_name(one["package"]["name"])
            by_name.setdefault(name, []).append((str(record["id"]), one))
    if not count:
        raise ValueError(f"{path} holds no advisory of PyPI: give an export of OSV")
    return Advisories(by_name, count, newest[:10])


def _records(path: Path) -> Iterator[Record]:
    if not zipfile.is_zipfile(path):
        found = _parsed(path.read_bytes())
        yield from found if isinstance(found, list) else [found]
        return
    with zipfile.ZipFile(path) as export:
        for name in export.namelist():
            if name.endswith(".json"):
                yield _parsed(export.read(name))


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("it has lists in lists without end") from error


def _is_of_pypi(affected: Record) -> bool:
    return bool(affected.get("package", {}).get("ecosystem") == ECOSYSTEM)


def affects(affected: Record, version: Version) -> bool:
    """Tell whether a version is among those listed, or in one of the ranges."""
    if any(_version(one) == version for one in affected.get("versions", [])):
        return True
    ranges = (one for one in affected.get("ranges", []) if one.get("type") == "ECOSYSTEM")
    return any(_holds(one.get("events", []), version) for one in ranges)


def _holds(events: list[Mapping[str, str]], version: Version) -> bool:
    inside = False
    for event, at in sorted(_events(events), key=lambda one: one[1]):
        if event == "introduced" and version >= at:
            inside = True
        elif (event == "fixed" and version >= at) or (event == "last_affected" and version > at):
            inside = False
    return inside


def _events(events: list[Mapping[str, str]]) -> Iterator[tuple[str, Version]]:
    for event in events:
        for kind, text in event.items():
            version = _version(text)
            if version is not None:
                yield kind, version


def fixes(affected: Record, version: Version) -> list[str]:
    """Return the versions above this one that mend it."""
    found = {
        at
        for one in affected.get("ranges", [])
        for kind, at in _events(one.get("events", []))
        if kind == "fixed" and at > version
    }
    return [str(one) for one in sorted(found)]


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None
