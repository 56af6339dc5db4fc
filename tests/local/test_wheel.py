"""The wheel, used from an empty directory: everything that the kit needs travels in it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.local.conftest import PROJECT
from tests.ports import free_ports

HARD_TIMEOUT_SECONDS = 120


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and unpack it where nothing of the clone is; dependencies stay the tests'."""
    directory = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet"]
    offline = ["--no-deps", "--no-index"]
    build = [*pip, "wheel", *offline, "--no-build-isolation", "-w", str(directory), str(PROJECT)]
    subprocess.run(build, check=True, timeout=HARD_TIMEOUT_SECONDS)
    (wheel,) = directory.glob("*.whl")
    target = ["--target", str(directory / "site"), str(wheel)]
    subprocess.run([*pip, "install", *offline, *target], check=True, timeout=HARD_TIMEOUT_SECONDS)
    return directory / "site"


def loadgen(site: Path, directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command in a directory, with an empty home."""
    return subprocess.run(
        [sys.executable, "-m", "loadgen", *words],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(site), "HOME": str(directory / "home")},
        capture_output=True,
        text=True,
        check=False,
        timeout=HARD_TIMEOUT_SECONDS,
    )


def test_the_main_job_runs_in_an_empty_directory(site: Path, tmp_path: Path) -> None:
    names = ("--web-port", "--master-bind-port", "--exporter-port")
    ports = [
        word for name, port in zip(names, free_ports(3), strict=True) for word in (name, str(port))
    ]
    ran = loadgen(site, tmp_path, "run", *ports, "--users=2", "--run-time=2s", "--workers=1")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    summary = json.loads((tmp_path / "results" / "latest" / "summary.json").read_text())
    assert summary["verdict"] == "passed"
    assert {path.name for path in tmp_path.iterdir()} <= {"results", "home"}


def test_what_is_no_code_travels_along(site: Path, tmp_path: Path) -> None:
    kit = site / "loadgen" / "kit"
    for name in ("playbooks", "requirements", "experiments"):
        ours = {path.relative_to(PROJECT / name) for path in _files(PROJECT / name)}
        assert {path.relative_to(kit / name) for path in _files(kit / name)} == ours
    told = loadgen(site, tmp_path, "verify", "--inventory", "inventory/mine")
    assert told.returncode == 2, told.stdout + told.stderr
    assert "does not exist, and nothing was changed" in told.stderr


def test_every_packages_data_travels_along(site: Path) -> None:
    kit = site / "loadgen" / "kit"
    for package in ("loadgen", "exporter", "locustfiles"):
        ours = {path.relative_to(PROJECT) for path in _files(PROJECT / package)}
        there = {path.relative_to(site) for path in _files(site / package)}
        there |= {path.relative_to(kit) for path in _files(kit / package)}
        assert ours <= there


def _files(directory: Path) -> list[Path]:
    found = [path for path in directory.rglob("*") if path.is_file()]
    return [path for path in found if "__pycache__" not in path.parts and path.name[0] != "."]
