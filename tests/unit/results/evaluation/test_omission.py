import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.results.evaluation.omission import correct
from loadgen.shared.histograms import percentile, total_count

histograms = st.dictionaries(st.floats(1, 5000), st.integers(1, 50), min_size=1, max_size=20)


def test_the_requests_that_a_stall_kept_back_are_added() -> None:
    assert correct({5000.0: 1, 10.0: 99}, 1000) == {
        10.0: 99,
        5000.0: 1,
        4000.0: 1,
        3000.0: 1,
        2000.0: 1,
        1000.0: 1,
    }


@given(histograms, st.floats(10, 2000))
def test_correction_never_lowers_a_percentile_above_the_interval(
    histogram: dict[float, int], interval: float
) -> None:
    corrected = correct(histogram, interval)
    assert total_count(corrected) >= total_count(histogram)
    assert percentile(corrected, 1) == percentile(histogram, 1)


@given(histograms)
def test_fast_enough_responses_need_no_correction(histogram: dict[float, int]) -> None:
    assert correct(histogram, 5001) == histogram


def test_a_wrong_interval_is_refused() -> None:
    with pytest.raises(ValueError, match="must be above 0"):
        correct({1.0: 1}, 0)
    with pytest.raises(ValueError, match="give the intended interval between"):
        correct({1e9: 1}, 0.1)
