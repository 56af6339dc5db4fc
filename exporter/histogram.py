"""Histogram edges that no response time can fall on.

Workers keep response times rounded (`loadgen.node.statistics.time_rounding`, or Locust's own): to
steps of 0.02, 0.05 and 0.1 of a decade from 1, 2 and 5 of it. Each edge lies half a step above
such a value, so a bucket holds whole rounded values and a limit of 500 ms reads off `le="0.505"`.

From 1 ms to 10 s two neighbours are at most 10 % apart: `histogram_quantile` is linear within a
bucket, so however the response times lie in it, a quantile is at most that far from the exact one.
"""

from bisect import bisect_left

_COARSE = (1.01, 1.51, 2.025, 3.025, 5.05, 7.05)
_FINE = (
    *(1.01, 1.09, 1.19, 1.29, 1.39, 1.51, 1.63, 1.75, 1.89, 2.025, 2.175, 2.375, 2.575, 2.775),
    *(3.025, 3.275, 3.575, 3.875, 4.225, 4.625, 5.05, 5.45, 5.95, 6.45, 7.05, 7.75, 8.45, 9.25),
)
_DECADES_MS = (
    *((0.1, (*_COARSE, *_FINE[-3:])), (1, _FINE), (10, _FINE)),
    *((100, _FINE), (1000, _FINE), (10_000, _COARSE)),
)
_LAST_MS = (101_000, 151_000, 202_500, 302_500, 505_000, 605_000)

EDGES_MS: tuple[float, ...] = (
    *(round(mantissa * decade, 6) for decade, mantissas in _DECADES_MS for mantissa in mantissas),
    *_LAST_MS,
)
"""Upper bounds in milliseconds, 0.1 ms to 10 min; the overflow above them is not in the list."""

EDGE_LABELS: tuple[str, ...] = (*(repr(round(edge / 1000, 9)) for edge in EDGES_MS), "+Inf")
"""The same in seconds, as `le` labels, `+Inf` last."""

BUCKETS = len(EDGE_LABELS)
PLACES_MAX = 10_000


class _Places(dict[float, int]):
    """Buckets of response times by time. Rounded times are a few hundred, asked again and again."""

    def __missing__(self, response_time: float) -> int:
        place = bisect_left(EDGES_MS, response_time)
        if len(self) < PLACES_MAX:
            self[response_time] = place
        return place


_PLACES = _Places()


def count_into_buckets(response_times: dict[float, int], buckets: list[int]) -> None:
    """Add counts of rounded response times (ms) to `buckets`, not cumulative, `BUCKETS` long."""
    place = _PLACES
    for response_time, count in response_times.items():
        buckets[place[response_time]] += count
