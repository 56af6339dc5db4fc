"""Rates over time, and the files they are read from."""

from pathlib import Path

import pytest

from loadgen.scenario.shapes.rates import (
    ConstantRate,
    HourlyRate,
    RecordedRate,
    read_hours,
    read_points,
    sample_week,
)


def test_recorded_rate_runs_straight_between_its_points_and_ends_after_the_last() -> None:
    rate = RecordedRate([(1, 10), (3, 30), (4, 0)])
    assert [rate.at(second) for second in (0, 1, 2, 3, 3.5, 4)] == [10, 10, 20, 30, 15, None]


def test_speed_shortens_the_time_and_keeps_the_rates() -> None:
    assert RecordedRate([(0, 10), (60, 70)], speed=60).at(0.5) == 40
    assert HourlyRate([3600, 7200], speed=3600).at(1.5) == 2
    assert HourlyRate([3600, 7200], speed=3600).at(2) is None
    assert ConstantRate(5).at(1e9) == 5


def test_sample_week_peaks_once_at_the_published_hour() -> None:
    week = sample_week()
    assert len(week) == 168
    assert max(week) == pytest.approx(44_466)
    assert week.index(max(week)) == 2 * 24 + 12
    assert min(week) > 0
    assert week[5 * 24 + 12] < week[12]


def test_points_are_read_with_and_without_a_heading(tmp_path: Path) -> None:
    plain, headed = tmp_path / "plain.csv", tmp_path / "headed.csv"
    plain.write_text("0.5,0.42\n1.5,1.25\n")
    headed.write_text("time,rps\n0.5,0.42\n\n1.5,1.25\n")
    assert read_points(plain) == read_points(headed) == [(0.5, 0.42), (1.5, 1.25)]


def test_hours_are_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "week.csv"
    path.write_text("hour,requests\n0,100\n1,44466\n")
    assert read_hours(path) == [100, 44466]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "has no rows"),
        ("time,rps\n", "has no rows"),
        ("1;2\n", "line 1 is '1;2'"),
        ("1,2,3\n", "line 1 is '1,2,3'"),
        ("1,2\ntwo,3\n", "line 2 is 'two,3'"),
        ("1,-2\n", "0 or more"),
        ("1,inf\n", "finite"),
        ("2,1\n1,1\n", "row 2 has time 1 after 2"),
        ("1,1\n1,1\n", "times must ascend"),
    ],
)
def test_file_that_can_not_be_used_is_refused_with_its_row(
    tmp_path: Path, text: str, sentence: str
) -> None:
    path = tmp_path / "rate.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=sentence):
        read_points(path)


def test_missing_binary_and_gapped_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="can't be read"):
        read_points(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="can't be read"):
        read_points(tmp_path / "binary.csv")
    (tmp_path / "gap.csv").write_text("0,1\n2,1\n")
    with pytest.raises(ValueError, match="row 2 is hour 2"):
        read_hours(tmp_path / "gap.csv")
