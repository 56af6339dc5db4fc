"""A release is its contents; a wheelhouse is its locked requirements."""

import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from loadgen.deploy import release
from loadgen.shared.errors import OperationError, UsageError
from loadgen.shared.project import PROJECT


def test_build_names_a_release_after_its_contents(tmp_path: Path) -> None:
    first, again = release.build(tmp_path / "a"), release.build(tmp_path / "b")
    assert first.sha256 == again.sha256 == first.directory.name == release.current()
    assert first.archive.read_bytes() == again.archive.read_bytes()
    assert release.verify(first.directory) == first.sha256
    assert not [path for path in (tmp_path / "a").iterdir() if path.name.startswith(".")]


def test_a_release_has_no_users_code_and_no_experiment(tmp_path: Path) -> None:
    built = release.build(tmp_path)
    assert {path.name for path in built.directory.iterdir()} == set(release.PARTS)
    assert not {"locustfiles", "experiments"} & set(release.PARTS)
    assert not list(built.directory.rglob("__pycache__"))


def test_the_controller_keeps_the_releases_that_were_used_last(tmp_path: Path) -> None:
    for age in range(1, 9):
        old = tmp_path / f"{age:064x}"
        old.mkdir()
        archive = old.with_suffix(".tar")
        archive.touch()
        for path in (old, archive):
            os.utime(path, times=(time.time() - age * 7200,) * 2)
    (tmp_path / "notes").mkdir()
    now = release.build(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    names = [now.sha256, *(f"{age:064x}" for age in range(1, release.KEPT))]
    assert left == {"notes", *names, *(f"{name}.tar" for name in names)}


def test_nobody_else_reads_a_release(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o755)
    built = release.build(tmp_path / "out")

    assert (tmp_path / "out").stat().st_mode & 0o077 == 0
    assert built.archive.stat().st_mode & 0o077 == 0
    assert not [path for path in built.directory.rglob("*") if path.stat().st_mode & 0o007]
    with tarfile.open(built.archive) as packed:
        assert {member.mode for member in packed} == {0o640, 0o750}


def test_a_release_holds_every_package_of_the_kit(tmp_path: Path) -> None:
    built = release.build(tmp_path)
    packages = {path.parent.name for path in (PROJECT / "loadgen").glob("*/__init__.py")}
    assert {path.parent.name for path in built.directory.glob("loadgen/*/__init__.py")} == packages


def test_verify_finds_a_changed_file_and_overlooks_byte_code(tmp_path: Path) -> None:
    built = release.build(tmp_path)
    (built.directory / "loadgen" / "deploy" / "__pycache__").mkdir()
    (
        built.directory / "loadgen" / "deploy" / "__pycache__" / "release.cpython-311.pyc"
    ).write_bytes(b"x")
    assert release.verify(built.directory) == built.sha256
    (built.directory / "loadgen" / "deploy" / "release.py").write_text("")
    with pytest.raises(OperationError, match="was changed after it was made"):
        release.verify(built.directory)


def test_applicable_evaluates_markers_for_the_hosts_python() -> None:
    locked = (
        "# made by make lock\n"
        "numpy==2.4.6 ; python_full_version < '3.12' \\\n    --hash=sha256:aa \\\n"
        "    --hash=sha256:bb\n    # via matplotlib\n"
        "numpy==2.5.5 ; python_full_version >= '3.12' \\\n    --hash=sha256:cc\n"
        "colorama==0.4.6 ; sys_platform == 'win32' \\\n    --hash=sha256:dd\n"
    )
    assert release.applicable(locked, "3.11") == ["numpy==2.4.6 --hash=sha256:aa --hash=sha256:bb"]
    assert release.applicable(locked, "3.12") == ["numpy==2.5.5 --hash=sha256:cc"]


def test_platforms_takes_older_ones_and_no_newer_one() -> None:
    tags = release.platforms("manylinux_2_28_x86_64")
    assert {"manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"} <= set(tags)
    assert not [tag for tag in tags if "2_29" in tag or "2_34" in tag]
    assert "manylinux2014_aarch64" not in release.platforms("manylinux_2_12_aarch64")
    with pytest.raises(UsageError, match="manylinux_2_<glibc minor>"):
        release.platforms("linux_x86_64")


def test_wheelhouse_is_reused_under_the_same_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(release, "_download", lambda *given: calls.append(given[2]))
    first = release.wheelhouse(tmp_path)
    assert release.wheelhouse(tmp_path) == first
    assert release.wheelhouse(tmp_path, python_version="3.12") != first
    assert calls == ["3.11", "3.12"]
    lines = (first / "requirements.txt").read_text().splitlines()
    names = {line.partition("==")[0] for line in lines}
    assert {"locust", "polars"} <= names
    assert not names & {"matplotlib", "numpy", "scipy"}, "a fleet's hosts neither judge nor draw"


def test_what_hosts_run_needs_nothing_that_only_draws_and_judges() -> None:
    blocked = "import sys; sys.modules |= dict.fromkeys(['matplotlib', 'numpy', 'scipy'])"
    modules = ("fleet.agent", "node.__main__", "node.probe", "node.request_log")
    names = ", ".join(f"loadgen.{name}" for name in (*modules, "simulators.__main__"))
    code = f"{blocked}; import exporter.__main__, {names}"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_wheelhouse_of_a_fleet_with_targets_has_their_packages_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "_download", lambda *_: None)
    plain = release.wheelhouse(tmp_path)
    more = release.wheelhouse(tmp_path, roles=("node", "target"))
    assert more != plain
    lines = (more / "requirements.txt").read_text().splitlines()
    names = [line.partition("==")[0] for line in lines]
    assert {"django", "argon2-cffi", "starlette", "locust"} <= set(names)
    assert len(names) == len(set(names)), "pip refuses a package that stands twice"


def test_main_gives_one_sentence_and_an_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["wheelhouse", str(tmp_path / "out"), "--platform", "windows"]
    assert release.main(words) == 2
    assert capsys.readouterr().err.count("\n") == 1
