"""What one run might as well have been: its requests drawn again, from its histogram (bootstrap).

It knows the chance of requests within the run, and nothing of the spread between runs.
"""

import numpy as np
from numpy.typing import NDArray

from loadgen.shared.snapshot import EntryStatistics

RESAMPLES = 1000


class Resampled:
    """One name of one run, drawn again `RESAMPLES` times."""

    def __init__(self, entry: EntryStatistics, generator: np.random.Generator) -> None:
        self._entry = entry
        self._generator = generator

    def percentiles(self, ratio: float) -> NDArray[np.float64]:
        """Return a percentile in ms for each resample."""
        times = self._entry.response_times
        values = np.array(sorted(times))
        own = np.array([times[value] for value in values])
        drawn = self._generator.multinomial(own.sum(), own / own.sum(), size=RESAMPLES)
        return _nearest_rank(values, drawn, ratio)

    def failure_ratios(self) -> NDArray[np.float64]:
        """Return a failure ratio for each resample."""
        entry = self._entry
        share = min(1.0, entry.failures / entry.requests)
        drawn = self._generator.binomial(entry.requests, share, size=RESAMPLES)
        return drawn / entry.requests


def _nearest_rank(
    values: NDArray[np.float64], counts: NDArray[np.int64], ratio: float
) -> NDArray[np.float64]:
    """Return the percentile of each row of counts; as loadgen.shared.histograms.percentile does."""
    cumulative = counts.cumsum(axis=1)
    ranks = np.maximum(1, np.ceil(np.round(ratio * cumulative[:, -1], 9)))
    found: NDArray[np.float64] = values[(cumulative >= ranks[:, None]).argmax(axis=1)]
    return found
