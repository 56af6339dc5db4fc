"""The locks of what hosts run, for every Python and processor that RHEL 8 has."""

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from loadgen.shared.project import PROJECT

GLIBC_MINOR = 28
SYMBOL = re.compile(rb"GLIBC_2\.(\d+)\b")
WHEELHOUSES = [path for path in sorted((PROJECT / ".cache/wheelhouse").glob("*")) if path.is_dir()]


def resolve(
    role: str, python: str, platform: str, directory: Path
) -> subprocess.CompletedProcess[str]:
    """Resolve a lock from wheels alone, by their metadata; nothing is installed."""
    uv = shutil.which("uv", path=str(PROJECT / ".venv/bin"))
    assert uv
    command = [uv, "pip", "install", "--dry-run", "--no-deps", "--require-hashes"]
    command += ["--only-binary", ":all:", "--target", str(directory), "--python-version", python]
    command += ["--python-platform", platform, "-r", f"requirements/{role}.txt"]
    return subprocess.run(
        command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=240
    )


@pytest.mark.parametrize("role", ["node", "results", "target"])
@pytest.mark.parametrize("processor", ["x86_64", "aarch64"])
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_every_locked_package_has_a_wheel_for_hosts(
    role: str, python: str, processor: str, tmp_path: Path
) -> None:
    resolved = resolve(role, python, f"{processor}-manylinux_2_28", tmp_path)
    if "Failed to fetch" in resolved.stderr:
        pytest.skip("this machine reaches no package index")
    assert resolved.returncode == 0, resolved.stderr
    assert re.search(r"Would (install|download) \d+ package", resolved.stderr), resolved.stderr


@pytest.mark.skipif(not WHEELHOUSES, reason="no deploy has made a wheelhouse in .cache here yet")
def test_no_library_in_a_wheel_needs_a_newer_glibc_than_rhel_8s() -> None:
    newer = {
        f"{wheel.name}: {name} needs glibc 2.{minor}"
        for house in WHEELHOUSES
        for wheel in house.glob("*.whl")
        for name, minor in symbols(wheel)
        if minor > GLIBC_MINOR
    }
    assert not newer


def symbols(wheel: Path) -> list[tuple[str, int]]:
    """Return the newest symbol version of glibc that each shared library of a wheel names."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if re.search(r"\.so(\.|$)", name)]
        found = {name: SYMBOL.findall(archive.read(name)) for name in names}
    return [(name, max(int(one) for one in minors)) for name, minors in found.items() if minors]
