"""Asks which of the locked packages have known weaknesses: `make audit`.

    make audit                                   PyPI's advisory service
    make audit ADVISORIES=https://osv.example/v1/query    a mirror of OSV's
    make audit ADVISORIES=all.zip                an export of OSV, where nothing can be reached

exit 0   every locked package was looked up, and none has one
exit 1   weaknesses are known; each is named, with the version that mends it
exit 4   the advisory service could not be asked about every package, so nothing is proven
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from loadgen.shared.errors import why_unread
from tests import advisories

ROLES = ("node", "results", "target", "controller", "dev")
REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements"
TIMEOUT_SECONDS = 300
Package = Mapping[str, Any]


def look_up(packages: Iterable[tuple[str, str]], mirror: str | None = None) -> list[Package]:
    """Return what pip-audit says of each package. OSError: it could not be asked.

    It gets them without the lock's conditions: it would leave out what another Python installs.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("".join(f"{name}=={version}\n" for name, version in packages))
        file.flush()
        command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner"]
        command += ["off", "--no-deps", "--disable-pip", "-r", file.name, "--vulnerability-service"]
        command += ["osv", "--osv-url", mirror] if mirror else ["pypi"]
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
    try:
        return list(json.loads(ended.stdout)["dependencies"])
    except (ValueError, KeyError) as error:
        lines = ended.stderr.strip().splitlines() or ["pip-audit printed nothing"]
        raise OSError(lines[-1]) from error


def without_repetition(packages: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    """Return lists of packages that have each name once, as a list for pip must."""
    lists: list[dict[str, str]] = []
    for name, version in sorted(packages):
        place = next((one for one in lists if name not in one), None)
        if place is None:
            lists.append(place := {})
        place[name] = version
    return lists


def judge(packages: Sequence[Package]) -> tuple[int, list[str]]:
    """Return the exit code and what to say of packages as pip-audit describes them."""
    weak = [
        f"{one['name']} {one['version']}: {found['id']}, mended in "
        f"{', '.join(found['fix_versions']) or 'no version yet'}"
        for one in packages
        for found in one.get("vulns", [])
    ]
    skipped = [str(one["name"]) for one in packages if "skip_reason" in one]
    if weak:
        return 1, sorted(set(weak))
    if skipped or not packages:
        return 4, [
            f"{len(skipped)} of {len(packages)} locked packages could not be looked up, "
            f"{', '.join(skipped[:3])} among them: the advisory service of PyPI was not reached "
            "from here, so nothing is proven; run it where pypi.org answers, or give "
            "ADVISORIES=URL of a mirror of OSV, or ADVISORIES=FILE, an export of OSV"
        ]
    return 0, [f"{len(packages)} locked packages, none with a known weakness"]


def locked(role: str) -> set[tuple[str, str]]:
    """Return each locked package of a role with its version; Pythons may have versions apart."""
    lines = (REQUIREMENTS / f"{role}.txt").read_text().splitlines()
    pinned = (line.split()[0].partition("==") for line in lines if line[:1] not in ("", " ", "#"))
    return {(name.partition("[")[0], version.rstrip(";")) for name, _, version in pinned}


def all_locked() -> set[tuple[str, str]]:
    """Return each locked package of every role with its version."""
    return set().union(*(locked(role) for role in ROLES))


def look_up_in(path: Path) -> tuple[list[Package], str]:
    """Return every role's packages as a file of advisories knows them, and what that file is."""
    known = advisories.read(path)
    found: list[Package] = [
        {"name": name, "version": version, "vulns": known.of(name, version)}
        for name, version in sorted(all_locked())
    ]
    return found, f"{known.count:,} advisories of {path}, the newest of {known.newest}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Look up every role's packages, and say what came of it and who was asked."""
    parser = argparse.ArgumentParser(prog="make audit", description=__doc__)
    parser.add_argument("--advisories", help="a mirror's URL, or a file")
    source = parser.parse_args(arguments).advisories
    mirror = source if source and source.startswith(("http://", "https://")) else None
    asked = f"the mirror {mirror}" if mirror else "the advisory service of PyPI"
    try:
        if source and not mirror:
            packages, asked = look_up_in(Path(source))
        else:
            lists = without_repetition(all_locked())
            packages = [found for one in lists for found in look_up(one.items(), mirror)]
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        print(
            f"audit: {source or asked} could not be asked: {why_unread(error)}; "
            "nothing is proven. Give ADVISORIES=URL of a mirror of OSV, or ADVISORIES=FILE, "
            "an export of OSV",
            file=sys.stderr,
        )
        return 4
    code, lines = judge(packages)
    lines.append(f"asked: {asked}")
    print("\n".join(f"audit: {line}" for line in lines), file=sys.stderr if code else sys.stdout)
    return code


if __name__ == "__main__":
    sys.exit(main())
