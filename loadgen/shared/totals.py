"""Totals over several names of a snapshot, merged once for all that need them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self

from loadgen.shared.histograms import merge
from loadgen.shared.snapshot import EntryStatistics, Snapshot, requests_among


@dataclass(frozen=True, slots=True)
class Totals:
    """Cumulative statistics of some requests of one epoch, at `time` (Unix seconds)."""

    time: float
    requests: int = 0
    failures: int = 0
    total_ms: float = 0.0
    maximum_ms: float = 0.0
    response_times: Mapping[float, int] = field(default_factory=dict)

    @classmethod
    def over_all(cls, snapshot: Snapshot) -> Self:
        """Merge all requests of a snapshot, as of the end of what is measured in it."""
        return cls.of(snapshot.measured_until or snapshot.time, requests_among(snapshot.entries))

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
