"""Asks which of the locked packages have known weaknesses: `make audit`.

exit 0   every locked package was looked up, and none has one
exit 1   weaknesses are known; each is named, with the version that mends it
exit 4   the advisory service could not be asked about every package, so nothing is proven
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROLES = ("node", "target", "controller", "dev")
REQUIREMENTS = Path(__file__).resolve().parents[1] / "requirements"
TIMEOUT_SECONDS = 300
Package = Mapping[str, Any]


def look_up(role: str) -> list[Package]:
    """Return what pip-audit says of each package of a role. OSError: it could not be asked."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
    command += ["--require-hashes", "--disable-pip", "-r", str(REQUIREMENTS / f"{role}.txt")]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
    )
    try:
        return list(json.loads(ended.stdout)["dependencies"])
    except (ValueError, KeyError) as error:
        lines = ended.stderr.strip().splitlines() or ["pip-audit said nothing"]
        raise OSError(lines[-1]) from error


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
            "from here, so nothing is proven; run it where pypi.org answers"
        ]
    return 0, [f"{len(packages)} locked packages, none with a known weakness"]


def main() -> int:
    """Look up every role's packages, and say what came of it."""
    try:
        packages = {one["name"]: one for role in ROLES for one in look_up(role)}
    except (OSError, subprocess.TimeoutExpired) as error:
        print(f"audit: the advisory service could not be asked: {error}", file=sys.stderr)
        return 4
    code, lines = judge(list(packages.values()))
    print("\n".join(f"audit: {line}" for line in lines), file=sys.stderr if code else sys.stdout)
    return code


if __name__ == "__main__":
    sys.exit(main())
