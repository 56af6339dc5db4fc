"""The module that unpacks archives on hosts that have no tar and any umask."""

import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.playbooks.modules import run_module


@pytest.fixture(autouse=True)
def strict_umask() -> Iterator[None]:
    """As CIS and STIG set it for logins."""
    before = os.umask(0o077)
    yield
    os.umask(before)


def pack(path: Path, *members: tuple[str, bytes | str, int]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, content, mode in members:
            info = tarfile.TarInfo(name)
            info.mode = mode
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return path


def modes(directory: Path) -> dict[str, str]:
    return {
        str(path.relative_to(directory)): f"{path.stat().st_mode & 0o777:o}"
        for path in sorted(directory.rglob("*"))
    }


def test_everybody_may_read_it_and_programs_may_be_run(tmp_path: Path) -> None:
    archive = pack(
        tmp_path / "a.tar.gz",
        ("prometheus-3/prometheus", b"program", 0o700),
        ("prometheus-3/consoles/index.html", b"page", 0o600),
        ("prometheus-3/promtool", "prometheus", 0o777),
    )
    directory = tmp_path / "opt" / "bin"
    answer = run_module("unpack", src=str(archive), path=str(directory), strip=1)
    assert answer.get("changed"), answer
    assert modes(directory) == {
        "consoles": "755",
        "consoles/index.html": "644",
        "prometheus": "755",
        "promtool": "755",
    }
    assert directory.stat().st_mode & 0o777 == 0o755
    assert directory.parent.stat().st_mode & 0o777 == 0o755


def test_what_was_there_before_is_gone(tmp_path: Path) -> None:
    directory = tmp_path / "release"
    for name in ("old", "new"):
        archive = pack(tmp_path / f"{name}.tar", (name, b"", 0o644))
        run_module("unpack", src=str(archive), path=str(directory))
    assert [path.name for path in directory.iterdir()] == ["new"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.tar", "old.tar", "release"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("../outside", b""), ("/outside", b""), ("link", "/etc/passwd"), ("d/link", "../../x")],
)
def test_what_leads_outside_is_refused_and_the_old_directory_stays(
    tmp_path: Path, name: str, content: bytes | str
) -> None:
    directory = tmp_path / "d"
    directory.mkdir()
    (directory / "old").write_text("")
    archive = pack(tmp_path / "a.tar", (name, content, 0o644))
    answer = run_module("unpack", src=str(archive), path=str(directory))
    assert answer["failed"]
    assert name in answer["msg"]
    assert [path.name for path in directory.iterdir()] == ["old"]
