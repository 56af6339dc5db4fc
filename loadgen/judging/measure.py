"""What an SLO measures: totals of the requests it speaks of, and a measure between two states."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from loadgen.shared.histograms import difference, mean, merge, percentile
from loadgen.shared.histograms import ratio as ratio_of
from loadgen.shared.snapshot import EntryStatistics
from loadgen.specification.slo import Slo


@dataclass(frozen=True, slots=True)
class Totals:
    """Cumulative statistics of the requests that an SLO speaks of, at `time`."""

    time: float
    requests: int = 0
    failures: int = 0
    total_ms: float = 0.0
    maximum_ms: float = 0.0
    response_times: Mapping[float, int] | None = None

    @classmethod
    def of(cls, time: float, entries: Iterable[EntryStatistics]) -> Self:
        """Merge entries."""
        chosen = list(entries)
        return cls(
            time=time,
            requests=sum(entry.requests for entry in chosen),
            failures=sum(entry.failures for entry in chosen),
            total_ms=sum(entry.response_time_total_ms for entry in chosen),
            maximum_ms=max((entry.response_time_max_ms for entry in chosen), default=0.0),
            response_times=merge(entry.response_times for entry in chosen),
        )


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
    times = difference(later.response_times or {}, earlier.response_times or {})
    if measure == "average_seconds":
        return mean(later.total_ms - earlier.total_ms, sum(times.values()))
    # A cumulative maximum that did not grow says nothing of the window; its histogram does.
    grew = later.maximum_ms > earlier.maximum_ms
    highest = later.maximum_ms if grew else max(times, default=0.0)
    if measure == "maximum_seconds":
        return highest if times else None
    percent = float(measure.removeprefix("p").removesuffix("_seconds"))
    return percentile(times, percent / 100, maximum=highest)
