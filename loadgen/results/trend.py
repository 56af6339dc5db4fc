"""A run's key figures by name, with intervals: `trend.json`, which the page of results reads.

The interval of a percentile is that of its order statistics: with n requests the value of rank
q·n lies between the ranks q·n ± z·sqrt(n·q·(1-q)). It is of the chance of requests within the run
only; how runs differ among each other shows in the page, from run to run.
"""

import math
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter

from loadgen.shared.files import read_document
from loadgen.shared.histograms import Histogram, merge, total_count
from loadgen.shared.snapshot import EntryStatistics, requests_among

TREND_FILE = "trend.json"
DEVIATIONS = 2.576
"""99 % of a normal distribution lie within as many standard deviations."""
NAMES_MAX = 50
ALL = "All requests"


class Bounded(BaseModel):
    """A percentile in milliseconds, between its bounds."""

    model_config = ConfigDict(frozen=True)

    value: float
    low: float
    high: float


class NameTrend(BaseModel):
    """One name of one run; percentiles are None without a timed request."""

    model_config = ConfigDict(frozen=True)

    name: str
    requests: int
    failures: int
    p50: Bounded | None = None
    p95: Bounded | None = None
    p99: Bounded | None = None


def trends(entries: Sequence[EntryStatistics]) -> list[NameTrend]:
    """Return all requests together, then the names with the most."""
    ordered = sorted(entries, key=lambda entry: (-entry.requests, entry.method, entry.name))
    rows = [_trend(f"{one.method} {one.name}", [one]) for one in ordered[:NAMES_MAX]]
    return [_trend(ALL, requests_among(entries)), *rows] if rows else []


def _trend(name: str, entries: Sequence[EntryStatistics]) -> NameTrend:
    times = merge(entry.response_times for entry in entries)
    return NameTrend(
        name=name,
        requests=sum(entry.requests for entry in entries),
        failures=sum(entry.failures for entry in entries),
        p50=bounded(times, 0.5),
        p95=bounded(times, 0.95),
        p99=bounded(times, 0.99),
    )


def bounded(times: Histogram, part: float) -> Bounded | None:
    """Return a percentile with its 99 % interval; None without a request."""
    count = total_count(times)
    if not count:
        return None
    reach = DEVIATIONS * math.sqrt(count * part * (1 - part))
    rank = math.ceil(round(part * count, 9))
    ranks = [max(1, math.floor(part * count - reach)), max(1, rank)]
    ranks.append(min(count, math.ceil(part * count + reach) + 1))
    low, value, high = _at_ranks(times, ranks)
    return Bounded(value=value, low=low, high=high)


def _at_ranks(times: Histogram, ranks: Sequence[int]) -> list[float]:
    found: list[float] = []
    seen = 0
    for value in sorted(times):
        seen += times[value]
        while len(found) < len(ranks) and seen >= ranks[len(found)]:
            found.append(value)
    return found


def dump_trends(rows: Sequence[NameTrend]) -> str:
    """Return the file's text."""
    return TypeAdapter(list[NameTrend]).dump_json(list(rows)).decode() + "\n"


def load_trends(run: Path) -> list[NameTrend]:
    """Read a run's trends; empty for a run of an earlier release, or when they can't be read."""
    try:
        return TypeAdapter(list[NameTrend]).validate_json(read_document(run / TREND_FILE))
    except (OSError, ValueError):
        return []
