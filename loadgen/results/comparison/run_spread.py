"""What several runs a side say of their difference: Student's t.

Runs differ among each other, and only runs can say by how much. Response times spread by a factor,
so their logarithms are compared; failure ratios as they are. A variance is never taken for smaller
than what rounding and the chance of requests make of it, so that two runs that happen to agree
don't give an interval without width. With n runs on either side, or one on one of them, both have
one variance, and there are n + m - 2 degrees of freedom. Where the sides have several runs, but not
equally many, a common variance would mislead if the smaller side spreads more (a stated 95 % would
be 55 %): each side has its own, with the degrees of freedom of Welch and Satterthwaite.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
    """A difference, after minus before, and its bounds."""

    difference: float
    low: float
    high: float


def t_interval(
    before: Sequence[float], after: Sequence[float], confidence: float, variance_min: float
) -> ConfidenceInterval:
    """Return the difference of two means and its interval; three values at least are needed."""
    # It takes a third of a second to import, and one run a side is compared without it.
    from scipy.special import stdtrit  # noqa: PLC0415

    if len(before) + len(after) < 3:
        raise ValueError("one run on each side is not enough to measure the spread between runs")
    own = len(before) != len(after) and min(len(before), len(after)) > 1
    error, freedom = (_apart if own else _pooled)(before, after, variance_min)
    difference = _mean(after) - _mean(before)
    reach = float(stdtrit(freedom, (1 + confidence) / 2)) * error
    return ConfidenceInterval(difference, difference - reach, difference + reach)


def _pooled(
    before: Sequence[float], after: Sequence[float], variance_min: float
) -> tuple[float, float]:
    """Return the standard error and the degrees of freedom where both sides spread alike."""
    freedom = len(before) + len(after) - 2
    variance = max((_squares(before) + _squares(after)) / freedom, variance_min)
    return math.sqrt(variance * (1 / len(before) + 1 / len(after))), freedom


def _apart(
    before: Sequence[float], after: Sequence[float], variance_min: float
) -> tuple[float, float]:
    """Return the same where each side spreads as it does (Welch, Satterthwaite)."""
    sizes = len(before), len(after)
    parts = [
        max(_squares(side) / (size - 1), variance_min) / size
        for side, size in zip((before, after), sizes, strict=True)
    ]
    total = sum(parts)
    if not total:
        return 0.0, sum(sizes) - 2
    squares = sum(part * part / (size - 1) for part, size in zip(parts, sizes, strict=True))
    return math.sqrt(total), total * total / squares


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _squares(values: Sequence[float]) -> float:
    mean = _mean(values)
    return sum((value - mean) ** 2 for value in values)
