"""Arithmetic on response-time histograms: the one place where a percentile is computed.

A *histogram* maps a rounded response time in milliseconds to its count. Histograms of workers,
names or moments merge by adding counts, so any split of the same requests gives the same numbers.
Percentiles are read from merged histograms only; they are never averaged.
"""

import math
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

Histogram = Mapping[float, int]


def merge(histograms: Iterable[Histogram]) -> dict[float, int]:
    """Add counts value by value."""
    merged: defaultdict[float, int] = defaultdict(int)
    for histogram in histograms:
        for value, count in histogram.items():
            merged[value] += count
    return dict(merged)


def gain(later: Histogram, earlier: Histogram) -> dict[float, int]:
    """Return what a histogram gained while it is watched; a value that lost some gained nothing.

    At the begin of the stop the master goes back to what had been measured until then, so the last
    states that were seen before may hold a few requests of the stop phase.
    """
    gains = {value: count - earlier.get(value, 0) for value, count in later.items()}
    return {value: count for value, count in gains.items() if count > 0}


def total_count(histogram: Histogram) -> int:
    """Return the number of requests in a histogram."""
    return sum(histogram.values())


def percentile(
    histogram: Histogram,
    ratio: float,
    minimum: float | None = None,
    maximum: float | None = None,
) -> float | None:
    """Return one of `percentiles`, None for an empty histogram."""
    found = percentiles(histogram, (ratio,), minimum, maximum)
    return found[0] if found else None


def percentiles(
    histogram: Histogram,
    ratios: Sequence[float],
    minimum: float | None = None,
    maximum: float | None = None,
) -> list[float]:
    """Return nearest-rank percentiles in milliseconds, none for an empty histogram.

    With n requests it is the smallest value at which at least ceil(ratio * n) requests are at or
    below it, rank 1 at least. A ratio is in [0, 1]; 0 and 1 return the exact `minimum` and
    `maximum` when given, and every result is clamped to them, as rounding may step over an end.
    """
    for ratio in ratios:
        if not 0 <= ratio <= 1:
            raise ValueError(f"the percentile ratio is {ratio}, but it must be between 0 and 1")
    values = sorted(histogram)
    ranks = list(accumulate(map(histogram.__getitem__, values)))
    if not ranks or not ranks[-1]:
        return []
    return [
        minimum
        if ratio == 0 and minimum is not None
        else maximum
        if ratio == 1 and maximum is not None
        else _clamp(values[bisect_left(ranks, _rank(ratio, ranks[-1]))], minimum, maximum)
        for ratio in ratios
    ]


def _rank(ratio: float, count: int) -> int:
    # 0.07 * 100 is 7.000000000000001 in binary: without rounding its rank would be 8.
    return max(1, math.ceil(round(ratio * count, 9)))


def _clamp(value: float, minimum: float | None, maximum: float | None) -> float:
    low = -math.inf if minimum is None else minimum
    high = math.inf if maximum is None else maximum
    return min(max(value, low), high)


def mean(total_ms: float, timed_requests: int) -> float | None:
    """Return the mean in milliseconds from exact totals, None without requests."""
    return total_ms / timed_requests if timed_requests else None


def ratio(part: int, whole: int) -> float:
    """Return part / whole, 0 for nothing out of nothing."""
    return part / whole if whole else 0.0
