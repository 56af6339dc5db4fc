import json
import os
from pathlib import Path
from typing import Any

from tests.unit.playbooks.modules import run_module


def hold(path: Path, files: dict[str, Any], **more: Any) -> dict[str, Any]:
    return run_module("directory_files", path=str(path), files=files, **more)


def test_files_are_written_once_with_their_modes(tmp_path: Path) -> None:
    directory = tmp_path / "etc"
    files = {"node.json": {"name": "w1"}, "keys/master.key": "public\n"}
    assert hold(directory, files, mode="0640", directory_mode="0750")["changed"]
    assert json.loads((directory / "node.json").read_text()) == {"name": "w1"}
    assert (directory / "keys").stat().st_mode & 0o777 == 0o750
    assert (directory / "keys/master.key").stat().st_mode & 0o777 == 0o640
    assert not hold(directory, files, mode="0640", directory_mode="0750")["changed"]


def test_directories_on_the_way_are_open_whatever_the_umask_is(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        hold(tmp_path / "etc" / "program" / "rules", {"a.yml": ""}, mode="0640")
    finally:
        os.umask(before)
    for path in (tmp_path / "etc", tmp_path / "etc/program", tmp_path / "etc/program/rules"):
        assert path.stat().st_mode & 0o777 == 0o755, path


def test_a_wrong_mode_is_mended_without_a_rewrite(tmp_path: Path) -> None:
    hold(tmp_path, {"key": "secret"}, mode="0600")
    before = (tmp_path / "key").stat()
    (tmp_path / "key").chmod(0o644)
    assert hold(tmp_path, {"key": "secret"}, mode="0600")["changed"]
    after = (tmp_path / "key").stat()
    assert after.st_mode & 0o777 == 0o600
    assert after.st_mtime_ns == before.st_mtime_ns


def test_what_does_not_belong_is_purged_only_where_asked(tmp_path: Path) -> None:
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "gone.key").write_text("")
    (tmp_path / "other").write_text("")
    hold(tmp_path, {"workers/w1.key": "k"}, purge=["workers"])
    assert [path.name for path in (tmp_path / "workers").iterdir()] == ["w1.key"]
    assert (tmp_path / "other").exists()


def test_nothing_lands_when_the_validation_refuses(tmp_path: Path) -> None:
    answer = hold(tmp_path, {"a": "1"}, validate=["false"])
    assert answer["failed"]
    assert list(tmp_path.iterdir()) == []


def test_contents_do_not_appear_in_the_answer(tmp_path: Path) -> None:
    assert "hunter2" not in json.dumps(hold(tmp_path, {"login.json": "hunter2"}))


def test_a_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("untouched")
    (tmp_path / "file").symlink_to(tmp_path / "elsewhere")
    hold(tmp_path, {"file": "new"})
    assert (tmp_path / "elsewhere").read_text() == "untouched"
    assert not (tmp_path / "file").is_symlink()
