from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from exporter.histogram import BUCKETS, EDGE_LABELS, EDGES_MS, count_into_buckets


def test_edges_rise_and_cover_a_tenth_of_a_millisecond_to_ten_minutes() -> None:
    assert all(low < high for low, high in pairwise(EDGES_MS))
    assert EDGES_MS[0] < 0.11
    assert EDGES_MS[-1] >= 600_000
    assert EDGE_LABELS[0] == "0.000101"
    assert EDGE_LABELS[-2:] == ("605.0", "+Inf")


def test_neighbours_from_a_millisecond_to_ten_seconds_are_at_most_a_tenth_apart() -> None:
    fine = [edge for edge in EDGES_MS if 1 <= edge <= 10_100]
    assert max(high / low for low, high in pairwise(fine)) <= 1.1
    assert len(fine) >= 4 * 12


@given(st.floats(min_value=0, max_value=1_000_000))
def test_no_edge_is_a_value_that_locust_keeps(milliseconds: float) -> None:
    digits = max(len(str(int(milliseconds))) - 2, 0)
    assert float(round(milliseconds / 10**digits) * 10**digits) not in EDGES_MS


def test_every_count_lands_in_the_bucket_below_its_edge() -> None:
    buckets = [0] * BUCKETS
    count_into_buckets({0.1: 1, 500.0: 2, 510.0: 4, 700_000.0: 8}, buckets)
    assert buckets[0] == 1
    assert buckets[EDGE_LABELS.index("0.505")] == 2
    assert buckets[EDGE_LABELS.index("0.545")] == 4
    assert buckets[-1] == 8
    assert sum(buckets) == 15
