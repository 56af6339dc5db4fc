import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.results.page.index_page import build_index, renew_index
from loadgen.results.trend import bounded
from loadgen.shared.histograms import percentile
from tests.unit.results.many_runs import make_runs


def test_five_hundred_runs_of_which_twenty_are_broken_make_a_page_in_seconds(
    tmp_path: Path,
) -> None:
    make_runs(tmp_path, 480, broken=20)
    began = time.process_time()
    page = renew_index(tmp_path).read_text()
    assert time.process_time() - began < 10
    assert page.count("<tr data-run=") == 480
    assert page.count("broken-") == 20


@pytest.mark.parametrize("prepare", [lambda _: None, lambda results: results.rmdir()])
def test_an_archive_without_runs_is_a_page_too(tmp_path: Path, prepare: object) -> None:
    prepare(tmp_path)  # type: ignore[operator]
    assert "There are no runs yet" in build_index(tmp_path)


def test_a_run_of_an_earlier_release_without_intervals_is_listed(tmp_path: Path) -> None:
    (name,) = make_runs(tmp_path, 1)
    (tmp_path / name / "trend.json").unlink()
    assert name in build_index(tmp_path)


def test_a_summary_that_is_no_text_is_named(tmp_path: Path) -> None:
    (name,) = make_runs(tmp_path, 1)
    (tmp_path / name / "summary.json").write_bytes(b"\xff\xfe\x00")
    assert "summary.json" in build_index(tmp_path)


@given(st.dictionaries(st.floats(0.001, 1e5), st.integers(1, 500), min_size=1, max_size=40))
def test_the_bounds_of_a_percentile_hold_it(times: dict[float, int]) -> None:
    for part in (0.5, 0.95, 0.99):
        found = bounded(times, part)
        assert found is not None
        assert found.value == percentile(times, part)
        assert found.low <= found.value <= found.high
