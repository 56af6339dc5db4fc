import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.shared.histograms import gain, mean, merge, percentile, ratio, total_count

times = st.sampled_from([0.01, 0.42, 1.0, 1.02, 17.5, 250.0, 30_000.0])
samples = st.lists(times, min_size=1, max_size=200)
ratios = st.floats(0, 1)


def histogram(values: list[float]) -> dict[float, int]:
    return {value: values.count(value) for value in values}


@given(samples, st.lists(st.integers(0, 4), min_size=200, max_size=200), ratios)
def test_any_split_over_workers_gives_the_same_numbers(
    values: list[float], owners: list[int], q: float
) -> None:
    workers: list[list[float]] = [[] for _ in range(5)]
    for value, owner in zip(values, owners, strict=False):
        workers[owner].append(value)
    merged = merge(histogram(worker) for worker in workers)
    assert merged == histogram(values)
    assert percentile(merged, q) == percentile(histogram(values), q)


@given(samples, ratios)
def test_percentile_is_the_nearest_rank_of_the_sorted_values(values: list[float], q: float) -> None:
    rank = max(1, math.ceil(round(q * len(values), 9)))
    assert percentile(histogram(values), q) == sorted(values)[rank - 1]


@given(samples, samples)
def test_gain_undoes_merge(earlier: list[float], later: list[float]) -> None:
    before = histogram(earlier)
    assert gain(merge([before, histogram(later)]), before) == histogram(later)


def test_a_value_that_lost_some_gained_nothing() -> None:
    assert gain({5.0: 1, 6.0: 2}, {5.0: 3}) == {6.0: 2}


@given(samples, ratios, st.floats(-0.01, 0.01))
def test_percentile_stays_within_exact_minimum_and_maximum(
    values: list[float], q: float, error: float
) -> None:
    low, high = min(values) * (1 + error), max(values) * (1 + error)
    result = percentile(histogram(values), q, low, max(low, high))
    assert result is not None
    assert low <= result <= max(low, high)


def test_percentile_at_the_ends_is_exact() -> None:
    assert percentile({10.0: 5, 20.0: 1}, 1, 9.98, 20.04) == 20.04
    assert percentile({10.0: 5, 20.0: 1}, 0, 9.98, 20.04) == 9.98


def test_percentile_rank_survives_binary_fractions() -> None:
    assert percentile({float(value): 1 for value in range(1, 101)}, 0.07) == 7.0


def test_percentile_of_nothing_is_none() -> None:
    assert percentile({}, 0.5) is None


def test_percentile_refuses_a_percent() -> None:
    with pytest.raises(ValueError, match=r"is 95, but it must be between 0 and 1"):
        percentile({1.0: 1}, 95)


def test_mean_ratio_and_count() -> None:
    assert mean(30.0, 4) == 7.5
    assert mean(0.0, 0) is None
    assert ratio(1, 4) == 0.25
    assert ratio(0, 0) == 0
    assert total_count({1.0: 2, 3.0: 4}) == 6
