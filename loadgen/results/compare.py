"""Compares runs by name: what changed, how surely, and whether it is a regression.

Each side is one run, or several repetitions of one. Differences have a confidence interval by
bootstrap: runs are drawn again when there are several, and requests within each from its
histogram. A single run knows nothing of the spread between runs, so a change counts only when its
whole interval lies beyond a tolerance.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from loadgen.shared.snapshot import EntryStatistics

RESAMPLES = 1000
SEED = 20260101
PERCENTILES = {"p50_seconds": 0.5, "p95_seconds": 0.95, "p99_seconds": 0.99}
FAILURES = "failure_ratio"
Key = tuple[str, str]
Change = Literal["worse", "better", "same", "new", "gone", "few"]


class CompareSettings(BaseModel):
    """When a change counts. Response times change by a ratio, failure ratios by a difference.

    Names with fewer than `requests_min` requests on a side are shown and not judged.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    confidence: float = Field(default=0.99, ge=0.5, lt=1)
    tolerance_ratio: float = Field(default=0.05, ge=0, le=1)
    failure_tolerance: float = Field(default=0.005, ge=0, le=1)
    requests_min: int = Field(default=50, ge=1)


class Difference(BaseModel):
    """One measure of one name on both sides.

    `change` is after / before - 1 for response times (seconds), after - before for failure
    ratios; `low` and `high` bound it. None where a side has nothing.
    """

    model_config = ConfigDict(frozen=True)

    method: str
    name: str
    measure: str
    before: float | None
    after: float | None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    verdict: Change


def compare(
    before: Sequence[Sequence[EntryStatistics]],
    after: Sequence[Sequence[EntryStatistics]],
    settings: CompareSettings | None = None,
) -> list[Difference]:
    """Compare two sides, each a list of runs, by method and name."""
    settings = settings or CompareSettings()
    left, right = _by_name(before), _by_name(after)
    generator = np.random.default_rng(SEED)
    found: list[Difference] = []
    for key in sorted(left.keys() | right.keys(), key=lambda key: (key[1], key[0])):
        sides = left.get(key, []), right.get(key, [])
        found += _differences(key, *sides, settings, generator)
    return found


def regressions(differences: Sequence[Difference]) -> list[Difference]:
    """Return what got worse."""
    return [difference for difference in differences if difference.verdict == "worse"]


def _by_name(runs: Sequence[Sequence[EntryStatistics]]) -> dict[Key, list[EntryStatistics]]:
    found: dict[Key, list[EntryStatistics]] = {}
    for run in runs:
        for entry in run:
            found.setdefault((entry.method, entry.name), []).append(entry)
    return found


def _differences(
    key: Key,
    left: list[EntryStatistics],
    right: list[EntryStatistics],
    settings: CompareSettings,
    generator: np.random.Generator,
) -> list[Difference]:
    if not left or not right:
        return [_one_sided(key, left, right)]
    first, second = _Side(left, generator), _Side(right, generator)
    few = min(first.requests, second.requests) < settings.requests_min
    found = [_failures(key, first, second, settings, few)]
    if first.timed and second.timed:
        found = [_times(key, m, first, second, settings, few) for m in PERCENTILES] + found
    return found


def _one_sided(key: Key, left: list[EntryStatistics], right: list[EntryStatistics]) -> Difference:
    measure, ratio = "p95_seconds", PERCENTILES["p95_seconds"]
    sides = (_exact(left, ratio), _exact(right, ratio))
    verdict: Change = "new" if right else "gone"
    return _difference(key, measure, sides, None, verdict)


def _times(
    key: Key,
    measure: str,
    first: "_Side",
    second: "_Side",
    settings: CompareSettings,
    few: bool,
) -> Difference:
    ratio = PERCENTILES[measure]
    sides = (_exact(first.entries, ratio), _exact(second.entries, ratio))
    changes = second.percentiles(ratio) / first.percentiles(ratio) - 1
    bounds = _bounds(changes, settings.confidence)
    verdict = "few" if few else _verdict(bounds, settings.tolerance_ratio)
    return _difference(key, measure, sides, bounds, verdict)


def _failures(
    key: Key, first: "_Side", second: "_Side", settings: CompareSettings, few: bool
) -> Difference:
    sides = (first.failures / first.requests, second.failures / second.requests)
    bounds = _bounds(second.failure_ratios() - first.failure_ratios(), settings.confidence)
    verdict = "few" if few else _verdict(bounds, settings.failure_tolerance)
    return _difference(key, FAILURES, sides, bounds, verdict)


def _difference(
    key: Key,
    measure: str,
    sides: tuple[float | None, float | None],
    bounds: tuple[float, float] | None,
    verdict: Change,
) -> Difference:
    before, after = sides
    change = None
    if before is not None and after is not None:
        change = after - before if measure == FAILURES else after / before - 1
    low, high = bounds or (None, None)
    return Difference(
        method=key[0],
        name=key[1],
        measure=measure,
        before=before,
        after=after,
        change=change,
        low=low,
        high=high,
        verdict=verdict,
    )


def _verdict(bounds: tuple[float, float], tolerance: float) -> Change:
    low, high = bounds
    if low > tolerance:
        return "worse"
    return "better" if high < -tolerance else "same"


def _bounds(values: NDArray[np.float64], confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _exact(entries: Sequence[EntryStatistics], ratio: float) -> float | None:
    """Return a percentile in seconds over the merged histogram."""
    counts: dict[float, int] = {}
    for entry in entries:
        for value, count in entry.response_times.items():
            counts[value] = counts.get(value, 0) + count
    if not counts:
        return None
    values = np.array(sorted(counts))
    numbers = np.array([[counts[value] for value in values]])
    return float(_nearest_rank(values, numbers, ratio)[0]) / 1000


def _nearest_rank(
    values: NDArray[np.float64], counts: NDArray[np.int64], ratio: float
) -> NDArray[np.float64]:
    """Return the percentile of each row of counts; as loadgen.shared.histograms.percentile does."""
    cumulative = counts.cumsum(axis=1)
    ranks = np.maximum(1, np.ceil(np.round(ratio * cumulative[:, -1], 9)))
    found: NDArray[np.float64] = values[(cumulative >= ranks[:, None]).argmax(axis=1)]
    return found


class _Side:
    """One name on one side: its runs, and what they might as well have been."""

    def __init__(self, entries: list[EntryStatistics], generator: np.random.Generator) -> None:
        self.entries = entries
        self.requests = max(1, sum(entry.requests for entry in entries))
        self.failures = sum(entry.failures for entry in entries)
        self.timed = any(entry.response_times for entry in entries)
        self._generator = generator
        runs = len(entries)
        # How often each run is drawn in each resample; a single run always once.
        self._weights = generator.multinomial(runs, [1 / runs] * runs, size=RESAMPLES)

    def percentiles(self, ratio: float) -> NDArray[np.float64]:
        """Return a percentile in ms for each resample."""
        values = np.array(sorted({v for entry in self.entries for v in entry.response_times}))
        counts = np.zeros((RESAMPLES, len(values)), dtype=np.int64)
        for run, entry in enumerate(self.entries):
            own = np.array([entry.response_times.get(value, 0) for value in values])
            if own.sum():
                drawn = self._generator.multinomial(own.sum(), own / own.sum(), size=RESAMPLES)
                counts += drawn * self._weights[:, [run]]
        usable = counts[counts.sum(axis=1) > 0]
        found = _nearest_rank(values, usable, ratio)
        return np.resize(found, RESAMPLES)

    def failure_ratios(self) -> NDArray[np.float64]:
        """Return a failure ratio for each resample."""
        failures = np.zeros(RESAMPLES)
        requests = np.zeros(RESAMPLES)
        for run, entry in enumerate(self.entries):
            if entry.requests:
                share = min(1.0, entry.failures / entry.requests)
                drawn = self._generator.binomial(entry.requests, share, size=RESAMPLES)
                failures += drawn * self._weights[:, run]
                requests += entry.requests * self._weights[:, run]
        return np.divide(failures, requests, out=np.zeros(RESAMPLES), where=requests > 0)


def describe(differences: Sequence[Difference]) -> str:
    """Return a table for a terminal, worst first; what stayed the same is counted only."""
    order = {"worse": 0, "gone": 1, "new": 2, "better": 3, "few": 4, "same": 5}
    shown = [difference for difference in differences if difference.verdict != "same"]
    shown.sort(key=lambda d: (order[d.verdict], -(d.change or 0)))
    same = len(differences) - len(shown)
    lines = [_line(difference) for difference in shown]
    return "\n".join([*lines, f"{same} of {len(differences)} measures stayed the same"])


def _line(difference: Difference) -> str:
    what = f"{difference.method} {difference.name}"
    label = difference.measure.removesuffix("_seconds").replace("_", " ")
    before, after = (_show(difference.measure, v) for v in (difference.before, difference.after))
    line = f"{difference.verdict.upper():<6} {what}: {label} {before} -> {after}"
    if difference.change is None or difference.low is None or difference.high is None:
        return line
    if not all(map(math.isfinite, (difference.change, difference.low, difference.high))):
        return line
    percent = [100 * value for value in (difference.change, difference.low, difference.high)]
    unit = "%-points" if difference.measure == FAILURES else "%"
    return f"{line} ({percent[0]:+.3g} {unit}, between {percent[1]:+.3g} and {percent[2]:+.3g})"


def _show(measure: str, value: float | None) -> str:
    if value is None:
        return "none"
    return f"{100 * value:.3g} %" if measure == FAILURES else f"{1000 * value:.4g} ms"
