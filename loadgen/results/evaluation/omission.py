"""Coordinated omission: what the users who waited for a slow response would have measured.

A user that sends every second and waits ten for one response made one slow measurement, where ten
were due. Correction adds what the due requests would have taken: for a response of t and a due
interval of i, also t - i, t - 2i, … down to i (G. Tene's correction, as in HdrHistogram). It is
shown beside the uncorrected numbers, never instead of them, and makes sense for open-model runs
only, in which requests were due at a rate that doesn't depend on the responses.
"""

from collections import Counter

from loadgen.shared.histograms import Histogram

ADDED_MAX = 1_000_000


def correct(histogram: Histogram, interval_ms: float) -> dict[float, int]:
    """Return the corrected histogram. `interval_ms` is the time between one user's requests."""
    if interval_ms <= 0:
        raise ValueError(f"the interval is {interval_ms} ms, but it must be above 0")
    corrected: Counter[float] = Counter(dict(histogram))
    for value, count in histogram.items():
        steps = int(value / interval_ms + 1e-9) - 1
        if steps > ADDED_MAX:
            raise ValueError(
                f"a response of {value:g} ms spans {steps} intervals of {interval_ms:g} ms, more "
                f"than the {ADDED_MAX} that can be added: give the intended interval between "
                f"the requests of one user"
            )
        for step in range(1, steps + 1):
            corrected[_rounded(value - step * interval_ms)] += count
    return dict(corrected)


def _rounded(milliseconds: float) -> float:
    # Differences of binary fractions would each make a value of their own.
    return float(f"{milliseconds:.4g}")
