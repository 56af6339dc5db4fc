"""Quantiles of the exported histogram agree with percentiles of every response time kept.

With our own, and with those of Locust; on made and on recorded response times.
"""

import math
import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from itertools import accumulate, pairwise
from pathlib import Path
from typing import cast

import pytest
from locust.stats import calculate_response_time_percentile

from exporter.histogram import BUCKETS, EDGES_MS, count_into_buckets
from loadgen.node.statistics.time_rounding import bucket
from loadgen.shared.histograms import percentile
from loadgen.watch.scrape import quantile

Kind = Callable[[random.Random], float]


def fast(numbers: random.Random) -> float:
    return numbers.lognormvariate(math.log(2.0), 0.5)


def two_kinds(numbers: random.Random) -> float:
    return numbers.gauss(15, 3) if numbers.random() < 0.9 else numbers.gauss(900, 100)


def heavy_tail(numbers: random.Random) -> float:
    return min(30 * numbers.paretovariate(0.9), 500_000.0)


def made(kind: Kind) -> list[float]:
    numbers = random.Random(7)
    return [abs(kind(numbers)) for _ in range(20_000)]


def recorded() -> list[float]:
    """Response times in ms of a real run: alarm devices and their simulator under fault."""
    file = Path(__file__).with_name("recorded_durations_us.txt")
    return [int(line) / 1000 for line in file.read_text().split()]


@pytest.mark.parametrize("ratio", [0.5, 0.9, 0.95, 0.99, 0.999])
@pytest.mark.parametrize("kind", [fast, two_kinds, heavy_tail, recorded])
def test_a_quantile_lies_in_the_bucket_of_the_percentile(
    kind: Kind | Callable[[], list[float]], ratio: float
) -> None:
    response_times = recorded() if kind is recorded else made(cast(Kind, kind))
    times = Counter(bucket(time) for time in response_times)
    buckets = [0] * BUCKETS
    count_into_buckets(times, buckets)
    edges = [edge / 1000 for edge in EDGES_MS] + [math.inf]
    cumulative = dict(zip(edges, accumulate(buckets), strict=True))
    found = quantile(ratio, cumulative, dict.fromkeys(edges, 0))
    assert found is not None
    total = len(response_times)
    # Locust says int; its own workers send floats.
    of_locust = calculate_response_time_percentile(times, total, ratio)  # type: ignore[arg-type]
    for exact in (percentile(times, ratio), of_locust):
        assert exact is not None
        assert abs(bisect_left(EDGES_MS, exact) - bisect_left(EDGES_MS, found * 1000)) <= 1


def test_no_edge_is_a_time_that_workers_keep() -> None:
    for low, high in pairwise((0.05, *EDGES_MS, 1_000_000.0)):
        assert bucket(low) != low or low == 0.05
        for step in range(50):
            assert bucket(low + (high - low) * step / 50) not in EDGES_MS


SHAPES: dict[str, Kind] = {
    "constant": lambda _: 1.0,
    "two values": lambda numbers: numbers.choice((1.0, 3.0)),
    "uniform": lambda numbers: numbers.uniform(0.5, 1.5),
    "normal": lambda numbers: abs(numbers.gauss(1.0, 0.2)),
    "exponential": lambda numbers: numbers.expovariate(1.0),
    "log-normal": lambda numbers: numbers.lognormvariate(0, 0.8),
    "pareto": lambda numbers: 0.5 * numbers.paretovariate(2.5),
}
SCALES_MS = (1, 1.1, 2, 3.5, 7, 12, 40, 100, 300, 1000, 2500, 4700)
RATIOS = (0.5, 0.95, 0.99)


def test_a_quantile_is_within_a_tenth_of_the_exact_one_from_1_ms_to_10_s() -> None:
    """Run with -s for the table."""
    print("\nfarthest a quantile from PromQL is from the exact one, 1 ms to 10 s")
    for shape, kind in SHAPES.items():
        worst = dict.fromkeys(RATIOS, 0.0)
        for scale in SCALES_MS:
            numbers = random.Random(7)
            times = sorted(scale * kind(numbers) for _ in range(2000))
            buckets = [0] * BUCKETS
            count_into_buckets(Counter(bucket(time) for time in times), buckets)
            edges = [edge / 1000 for edge in EDGES_MS] + [math.inf]
            cumulative = dict(zip(edges, accumulate(buckets), strict=True))
            for ratio in RATIOS:
                exact = times[math.ceil(ratio * len(times)) - 1]
                found = quantile(ratio, cumulative, {})
                assert found is not None
                if 1 <= exact <= 10_000:
                    worst[ratio] = max(worst[ratio], abs(found * 1000 / exact - 1))
        print(f"  {shape:12}", *(f"p{100 * r:g} {value:6.1%}" for r, value in worst.items()))
        assert max(worst.values()) <= 0.1, shape
