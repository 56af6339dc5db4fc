import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.node.statistics import time_rounding
from loadgen.node.statistics.time_rounding import bucket


@given(st.floats(min_value=0.05, max_value=600_000))
def test_bucket_is_within_1_25_percent_or_half_a_microsecond(milliseconds: float) -> None:
    assert abs(bucket(milliseconds) - milliseconds) <= max(0.01251 * milliseconds, 0.000501)


@given(st.floats(min_value=0, max_value=600_000))
def test_bucket_is_stable_when_applied_again(milliseconds: float) -> None:
    assert bucket(bucket(milliseconds)) == bucket(milliseconds)


@given(st.floats(min_value=0, max_value=600_000), st.floats(min_value=0, max_value=600_000))
def test_bucket_is_monotonic(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert bucket(low) <= bucket(high)


def test_bucket_keeps_what_locust_rounds_to_zero() -> None:
    assert bucket(0.4) == 0.4
    assert bucket(0.0004) == 0.0
    assert bucket(147.3) == 148.0
    assert bucket(104.9) == 104.0
    assert bucket(123_456.0) == 124_000.0


def test_bucket_has_few_enough_values_to_send_every_second() -> None:
    values = {bucket(count / 1000) for count in range(1000, 100_000)}

    assert len(values) <= 2 * 160 + 1


@pytest.mark.parametrize("milliseconds", [-0.0001, -1.0, -1000.0, -1e9])
def test_a_time_below_zero_is_no_other_time(milliseconds: float) -> None:
    assert bucket(milliseconds) == 0.0


def test_the_table_holds_what_each_count_is_rounded_to() -> None:
    counts = range(time_rounding._TABLE_SIZE)
    assert [time_rounding._round_count(count) / 1000 for count in counts] == time_rounding._TABLE
