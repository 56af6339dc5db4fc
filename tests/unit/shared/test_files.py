from pathlib import Path

import pytest

from loadgen.shared import files


def test_a_file_is_written_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    files.write_text(path, "first")

    def fail() -> None:
        with files.replacing(path) as fresh:
            fresh.write_text("sec")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_moves_and_a_synced_file_is_not_for_everybody(tmp_path: Path) -> None:
    for name in ("one", "two"):
        files.write_synced(tmp_path / name, name.encode())
        files.point(tmp_path / "latest", name)

    assert (tmp_path / "latest").read_text() == "two"
    assert (tmp_path / "two").stat().st_mode & 0o7 == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["latest", "one", "two"]
