"""What an SLO measures between two states of the requests that it limits."""

from loadgen.shared.histograms import gain, mean, percentile
from loadgen.shared.histograms import ratio as ratio_of
from loadgen.shared.totals import Totals
from loadgen.specification.slo import Slo


def measure_between(slo: Slo, earlier: Totals, later: Totals) -> float | None:
    """Return the measure over what came between two states; None when nothing did.

    Response times are seconds. Throughput over a time without requests is 0, not None.
    """
    requests = later.requests - earlier.requests
    if slo.measure == "throughput_per_second":
        seconds = later.time - earlier.time
        return requests / seconds if seconds > 0 else None
    if slo.measure == "failure_ratio":
        return ratio_of(later.failures - earlier.failures, requests) if requests else None
    milliseconds = _milliseconds(slo.measure, earlier, later)
    return None if milliseconds is None else milliseconds / 1000


def _milliseconds(measure: str, earlier: Totals, later: Totals) -> float | None:
    times = gain(later.response_times, earlier.response_times)
    if measure == "average_seconds":
        return mean(later.total_ms - earlier.total_ms, sum(times.values()))
    # A cumulative maximum that did not grow says nothing about the window, so its histogram is
    # used.
    grew = later.maximum_ms > earlier.maximum_ms
    highest = later.maximum_ms if grew else max(times, default=0.0)
    if measure == "maximum_seconds":
        return highest if times else None
    percent = float(measure.removeprefix("p").removesuffix("_seconds"))
    return percentile(times, percent / 100, maximum=highest)
