"""Compares runs by name: what changed, how surely, and whether it is a regression.

Each side is one run, or several repetitions of one. With repetitions the interval is Student's t
over the runs (`run_spread`): it includes how the target varies from run to run. With one run on
each side it is a bootstrap of the requests (`resampling`): it applies to this pair of runs only. A
change counts when its whole interval lies beyond a tolerance.
"""

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from loadgen.results.comparison.resampling import Resampled
from loadgen.results.comparison.run_spread import t_interval
from loadgen.shared.histograms import percentile
from loadgen.shared.snapshot import EntryStatistics

SEED = 20260101
# Response times are kept to 1.25 %: the variance of an even error of that width, as a logarithm.
ROUNDING_VARIANCE = 0.0125**2 / 12
SHORTEST_MS = 0.0005
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
    found: list[Difference] = []
    for key in sorted(left.keys() | right.keys(), key=lambda key: (key[1], key[0])):
        found += _differences(key, left.get(key, []), right.get(key, []), settings)
    return found


def scope(before: int, after: int, confidence: float) -> str:
    """Say to what the intervals apply, given the number of runs on each side."""
    percent = f"{100 * confidence:g} %"
    if before == after == 1:
        return (
            f"There is one run on each side, so each {percent} interval holds for these two runs "
            "only. To compare the target itself, repeat the runs on each side, for example with "
            "repetitions: 5"
        )
    how = f"{before + after - 2} degrees of freedom"
    if before != after and min(before, after) > 1:
        how = "Welch's method, in which each side has its own spread"
    return (
        f"{before} runs before, {after} after: each {percent} interval is Student's t over the "
        f"runs ({how})"
    )


def regressions(differences: Sequence[Difference]) -> list[Difference]:
    """Return what got worse."""
    return [difference for difference in differences if difference.verdict == "worse"]


def _by_name(runs: Sequence[Sequence[EntryStatistics]]) -> dict[Key, list[EntryStatistics]]:
    found: dict[Key, list[EntryStatistics]] = {}
    for run in runs:
        for entry in filter(lambda entry: entry.requests, run):
            found.setdefault((entry.method, entry.name), []).append(entry)
    return found


def _differences(
    key: Key, left: list[EntryStatistics], right: list[EntryStatistics], settings: CompareSettings
) -> list[Difference]:
    if not left or not right:
        return [_one_sided(key, left, right)]
    sides = left, right
    requests = (sum(entry.requests for entry in side) for side in sides)
    few = min(requests) < settings.requests_min
    generator = np.random.default_rng(SEED)
    found = []
    if all(any(entry.response_times for entry in side) for side in sides):
        found = [_times(key, measure, sides, settings, generator) for measure in PERCENTILES]
    found.append(_failures(key, sides, settings, generator))
    return [one.model_copy(update={"verdict": "few"}) for one in found] if few else found


Sides = tuple[list[EntryStatistics], list[EntryStatistics]]
Bounds = tuple[float, float, float]
"""A change, and its lowest and highest value."""


def _one_sided(key: Key, left: list[EntryStatistics], right: list[EntryStatistics]) -> Difference:
    measure = "p95_seconds"
    shown = [_typical(side, PERCENTILES[measure]) if side else None for side in (left, right)]
    return Difference(
        method=key[0],
        name=key[1],
        measure=measure,
        before=shown[0],
        after=shown[1],
        verdict="new" if right else "gone",
    )


def _times(
    key: Key,
    measure: str,
    sides: Sides,
    settings: CompareSettings,
    generator: np.random.Generator,
) -> Difference:
    part = PERCENTILES[measure]
    timed = [[entry for entry in side if entry.response_times] for side in sides]
    if len(timed[0]) == len(timed[1]) == 1:
        first, second = (Resampled(side[0], generator).percentiles(part) for side in timed)
        ratios = np.maximum(second, SHORTEST_MS) / np.maximum(first, SHORTEST_MS) - 1
        low, high = _bounds(ratios, settings.confidence)
    else:
        logs = [[math.log(_percentile_ms(entry, part)) for entry in side] for side in timed]
        found = t_interval(logs[0], logs[1], settings.confidence, ROUNDING_VARIANCE)
        low, high = math.expm1(found.low), math.expm1(found.high)
    before, after = (_typical(side, part) for side in timed)
    change = (after or 0.0) / (before or SHORTEST_MS / 1000) - 1
    return _difference(key, measure, before, after, (change, low, high), settings.tolerance_ratio)


def _failures(
    key: Key, sides: Sides, settings: CompareSettings, generator: np.random.Generator
) -> Difference:
    before, after = (
        sum(entry.failures for entry in side) / sum(entry.requests for entry in side)
        for side in sides
    )
    if len(sides[0]) == len(sides[1]) == 1:
        first, second = (Resampled(side[0], generator).failure_ratios() for side in sides)
        low, high = _bounds(second - first, settings.confidence)
        change = after - before
    else:
        ratios = [[entry.failures / entry.requests for entry in side] for side in sides]
        found = t_interval(ratios[0], ratios[1], settings.confidence, _chance(sides))
        change, low, high = found.difference, found.low, found.high
    bounds = change, low, high
    return _difference(key, FAILURES, before, after, bounds, settings.failure_tolerance)


def _chance(sides: Sides) -> float:
    """Return the variance of one run's failure ratio if every request failed by the same chance."""
    entries = [entry for side in sides for entry in side]
    requests = sum(entry.requests for entry in entries)
    ratio = min(1.0, sum(entry.failures for entry in entries) / requests)
    return ratio * (1 - ratio) / (requests / len(entries))


def _difference(
    key: Key, measure: str, before: float | None, after: float | None, bounds: Bounds, limit: float
) -> Difference:
    change, low, high = bounds
    verdict: Change = "worse" if low > limit else "better" if high < -limit else "same"
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


def _bounds(values: np.typing.NDArray[np.float64], confidence: float) -> tuple[float, float]:
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _percentile_ms(entry: EntryStatistics, part: float) -> float:
    found = percentile(
        entry.response_times, part, entry.response_time_min_ms, entry.response_time_max_ms
    )
    return max(found or 0.0, SHORTEST_MS)


def _typical(entries: Sequence[EntryStatistics], part: float) -> float | None:
    """Return the geometric mean of the runs' percentiles in seconds; one run's own."""
    logs = [math.log(_percentile_ms(entry, part)) for entry in entries if entry.response_times]
    return math.exp(sum(logs) / len(logs)) / 1000 if logs else None


def describe(differences: Sequence[Difference]) -> str:
    """Return a table for a terminal, worst first; what stayed the same is counted only."""
    order = {"worse": 0, "gone": 1, "new": 2, "better": 3, "few": 4, "same": 5}
    shown = [difference for difference in differences if difference.verdict != "same"]
    shown.sort(key=lambda d: (order[d.verdict], -(d.change or 0)))
    same = len(differences) - len(shown)
    lines = [_line(difference) for difference in shown]
    if not any(difference.change is not None for difference in differences):
        lines.append("the two sides have no request name in common, so nothing was compared")
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
    change, low, high = map(_signed, (difference.change, difference.low, difference.high))
    unit = "%-points" if difference.measure == FAILURES else "%"
    return f"{line} ({change} {unit}, between {low} and {high})"


def _signed(ratio: float) -> str:
    percent = 100 * ratio
    return f"{percent:+,.0f}" if abs(percent) >= 100 else f"{percent:+.3g}"


def _show(measure: str, value: float | None) -> str:
    if value is None:
        return "none"
    return f"{100 * value:.3g} %" if measure == FAILURES else f"{1000 * value:.4g} ms"
