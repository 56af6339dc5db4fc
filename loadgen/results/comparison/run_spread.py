"""What several runs a side say of their difference: Student's t, with one variance for both sides.

Runs differ among each other, and only runs can say by how much. Response times spread by a factor,
so their logarithms are compared; failure ratios as they are. A variance is never taken for smaller
than what rounding and the chance of requests make of it, so that two runs that happen to agree
don't give an interval without width. With n and m runs there are n + m - 2 degrees of freedom.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """A difference, after minus before, and its bounds."""

    difference: float
    low: float
    high: float


def t_interval(
    before: Sequence[float], after: Sequence[float], confidence: float, variance_min: float
) -> Interval:
    """Return the difference of two means and its interval; three values at least are needed."""
    # It takes a third of a second to import, and one run a side is compared without it.
    from scipy.special import stdtrit  # noqa: PLC0415

    freedom = len(before) + len(after) - 2
    if freedom < 1:
        raise ValueError("one run a side says nothing of the spread between runs")
    squares = sum(_squares(side) for side in (before, after))
    variance = max(squares / freedom, variance_min)
    error = math.sqrt(variance * (1 / len(before) + 1 / len(after)))
    difference = _mean(after) - _mean(before)
    reach = float(stdtrit(freedom, (1 + confidence) / 2)) * error
    return Interval(difference, difference - reach, difference + reach)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _squares(values: Sequence[float]) -> float:
    mean = _mean(values)
    return sum((value - mean) ** 2 for value in values)
