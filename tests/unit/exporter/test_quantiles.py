"""Quantiles of the exported histogram agree with percentiles of every response time kept."""

import math
import random
from bisect import bisect_left
from itertools import accumulate, pairwise

import pytest

from exporter.histogram import BUCKETS, EDGES_MS, count_into_buckets
from operations.resolution import bucket
from operations.scrape import quantile
from operations.statistics import percentile


def fast(numbers: random.Random) -> float:
    return numbers.lognormvariate(math.log(2.0), 0.5)


def two_kinds(numbers: random.Random) -> float:
    return numbers.gauss(15, 3) if numbers.random() < 0.9 else numbers.gauss(900, 100)


def heavy_tail(numbers: random.Random) -> float:
    return min(30 * numbers.paretovariate(0.9), 500_000.0)


@pytest.mark.parametrize("kind", [fast, two_kinds, heavy_tail])
@pytest.mark.parametrize("ratio", [0.5, 0.9, 0.95, 0.99, 0.999])
def test_a_quantile_lies_in_the_bucket_of_the_percentile(kind: object, ratio: float) -> None:
    numbers = random.Random(7)
    assert callable(kind)
    times: dict[float, int] = {}
    for _ in range(20_000):
        kept = bucket(abs(kind(numbers)))
        times[kept] = times.get(kept, 0) + 1
    buckets = [0] * BUCKETS
    count_into_buckets(times, buckets)
    edges = [edge / 1000 for edge in EDGES_MS] + [math.inf]
    cumulative = dict(zip(edges, accumulate(buckets), strict=True))
    exact = percentile(times, ratio)
    found = quantile(ratio, cumulative, dict.fromkeys(edges, 0))
    assert exact is not None
    assert found is not None
    assert abs(bisect_left(EDGES_MS, exact) - bisect_left(EDGES_MS, found * 1000)) <= 1


def test_no_edge_is_a_time_that_workers_keep() -> None:
    for low, high in pairwise((0.05, *EDGES_MS, 1_000_000.0)):
        assert bucket(low) != low or low == 0.05
        for step in range(50):
            assert bucket(low + (high - low) * step / 50) not in EDGES_MS
