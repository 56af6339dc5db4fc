"""Histogram edges that no response time can fall on.

Workers keep response times rounded (`loadgen.node.statistics.time_rounding`, or Locust's own): to
steps of 0.02, 0.05 and 0.1 of a decade from 1, 2 and 5 of it. Each edge lies half a step above
such a value, so a bucket holds whole rounded values and a limit of 500 ms reads off `le="0.505"`.
"""

from bisect import bisect_left

_MANTISSAS = (1.01, 1.51, 2.025, 3.025, 5.05, 7.05)
_DECADES_MS = (0.1, 1, 10, 100, 1000, 10_000)
_LAST_MS = (101_000, 151_000, 202_500, 302_500, 505_000, 605_000)

EDGES_MS: tuple[float, ...] = (
    *(round(mantissa * decade, 6) for decade in _DECADES_MS for mantissa in _MANTISSAS),
    *_LAST_MS,
)
"""Upper bounds in milliseconds, 0.1 ms to 10 min; the overflow above them is not in the list."""

EDGE_LABELS: tuple[str, ...] = (*(repr(round(edge / 1000, 9)) for edge in EDGES_MS), "+Inf")
"""The same in seconds, as `le` labels, `+Inf` last."""

BUCKETS = len(EDGE_LABELS)


def count_into_buckets(response_times: dict[float, int], buckets: list[int]) -> None:
    """Add counts of rounded response times (ms) to `buckets`, not cumulative, `BUCKETS` long."""
    for response_time, count in response_times.items():
        buckets[bisect_left(EDGES_MS, response_time)] += count
