"""How finely response times are kept: the one rounding that every node applies.

Locust keeps a response time as a key of a histogram. Its own rounding counts 0.4 ms as 0; this one
keeps every time within 1.25 % (or half a microsecond, whichever is more): the step is 0.02 of the
decade for mantissas from 1 to 2, 0.05 from 2 to 5 and 0.1 from 5 to 10.
"""

_TABLE_SIZE = 100_000


def _round_count(count: int) -> int:
    """Round a non-negative integer to the steps above; below 100 it stays as it is."""
    if count < 100:
        return count
    decade: int = 10 ** (len(str(count)) - 1)
    mantissa_hundredths = count * 100 // decade
    step = 2 if mantissa_hundredths < 200 else 5 if mantissa_hundredths < 500 else 10
    unit = decade * step // 100
    return (count + unit // 2) // unit * unit


def _table() -> list[float]:
    """Return what each count of microseconds is kept as; each part of a decade has one unit.

    Every master and worker makes it when it starts: by `_round_count` it would take ten times as
    long.
    """
    kept = [count / 1000 for count in range(100)]
    for decade in (100, 1_000, 10_000):
        for first, end, step in ((1, 2, 2), (2, 5, 5), (5, 10, 10)):
            unit = decade * step // 100
            half = unit // 2
            counts = range(first * decade + half, end * decade + half)
            kept += [count // unit * unit / 1000 for count in counts]
    return kept


_TABLE = _table()


def bucket(milliseconds: float) -> float:
    """Round a response time in milliseconds; monotonic, and stable when applied again.

    Below zero there is nothing to round to: such a time counts as 0.
    """
    microseconds = int(milliseconds * 1000 + 0.5)
    if 0 <= microseconds < _TABLE_SIZE:
        return _TABLE[microseconds]
    # Rounding to whole milliseconds first would round twice: 104.5 to 105, and that to 106.
    return _round_count(max(0, microseconds)) / 1000
