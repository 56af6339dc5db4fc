from datetime import UTC, datetime
from pathlib import Path

import pytest

from loadgen.results import archive
from loadgen.shared.errors import BusyError, UsageError
from loadgen.shared.files import hold
from loadgen.shared.run_ids import make_run_id


def test_run_ids_sort_by_time_and_hold_nothing_but_safe_characters() -> None:
    early = make_run_id("../a b/We;rd$(x).py", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    late = make_run_id("hello.py", datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC))

    assert early < late
    assert early.startswith("20260102T030405Z-we-rd-x-")


def test_one_run_at_a_time_holds_the_results(tmp_path: Path) -> None:
    with (
        hold(tmp_path),
        pytest.raises(BusyError, match="another run"),
        hold(tmp_path),
    ):
        pass
    with hold(tmp_path):
        pass


def test_results_that_are_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match="can't be written"), hold(tmp_path / "file"):
        pass


def test_latest_moves_to_the_newest(tmp_path: Path) -> None:
    one, two = "20260102T030405Z-one-0001", "20260102T030405Z-two-0002"
    for run_id in (one, two):
        archive.create_run_directory(tmp_path, run_id)
        archive.point_latest(tmp_path, run_id)

    assert (tmp_path / "latest").resolve() == tmp_path / two
    assert sorted(path.name for path in tmp_path.iterdir()) == [one, two, "latest"]
