"""The metric names of ContainerSolutions/locust_exporter, for dashboards that ask for them.

Milliseconds and gauges, as that exporter had them, switched on with `--compatible-names`. Rates and
current percentiles are over the last ten seconds, as in the web UI. The row "Aggregated", of an
empty method, is there as well: two panels of Grafana.com's dashboard 11985 ask for it alone.
"""

from collections import deque
from collections.abc import Callable, Iterator

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from exporter.totals import Key, Limits
from loadgen.shared.histograms import gain, merge, percentile
from loadgen.shared.snapshot import EntryStatistics, Snapshot, requests_among

WINDOW_SECONDS = 10.0
_TEXT = "As locust_exporter names it."
_RUNNING = {"spawning": 1, "running": 2}
_NO_ENTRY = EntryStatistics("", "", 0, 0, 0, {}, 0.0, None, 0.0, 0)


class CompatibleNames(Collector):
    """Keeps the snapshots of the last ten seconds; `heard` gives the one to show, if any."""

    def __init__(self, heard: Callable[[], Snapshot | None], limits: Limits | None = None) -> None:
        self._heard = heard
        self._limits = limits or Limits()
        self._window: deque[Snapshot] = deque()

    def update(self, snapshot: Snapshot) -> None:
        """Take in a snapshot."""
        if self._window and self._window[0].epoch != snapshot.epoch:
            self._window.clear()
        self._window.append(snapshot)
        while snapshot.time - self._window[0].time > WINDOW_SECONDS:
            self._window.popleft()

    def collect(self) -> Iterator[Metric]:
        """Yield fresh families, e.g. `locust_requests_current_rps{method="GET",name="/"} 12.5`."""
        snapshot = self._heard()
        if snapshot is None:
            return
        yield _gauge("running", _RUNNING.get(snapshot.state, 0))
        yield from _workers(snapshot)
        yield from self._totals(snapshot)
        yield from self._by_name(snapshot)
        errors = GaugeMetricFamily("locust_errors", _TEXT, labels=("method", "name", "error"))
        for key, occurrences in self._errors(snapshot).items():
            errors.add_metric(key, occurrences)
        yield errors

    def _totals(self, snapshot: Snapshot) -> Iterator[Metric]:
        requests = sum(entry.requests for entry in snapshot.entries)
        failures = sum(entry.failures for entry in snapshot.entries)
        yield _gauge("requests_fail_ratio", failures / requests if requests else 0.0)
        earlier = self._earlier(snapshot)
        recent = gain(
            merge(entry.response_times for entry in snapshot.entries),
            merge(entry.response_times for entry in earlier.entries),
        )
        for percent in (50, 95):
            name = f"requests_current_response_time_percentile_{percent}"
            yield _gauge(name, percentile(recent, percent / 100) or 0.0)

    def _by_name(self, snapshot: Snapshot) -> Iterator[Metric]:
        families = {
            name: GaugeMetricFamily(f"locust_requests_{name}", _TEXT, labels=("method", "name"))
            for name in _values(_NO_ENTRY, _NO_ENTRY, 1.0)
        }
        earlier = self._earlier(snapshot)
        rows = [*snapshot.entries[: self._limits.names], _aggregated(snapshot)]
        before = {(e.method, e.name): e for e in (*earlier.entries, _aggregated(earlier))}
        seconds = max(snapshot.time - earlier.time, 1.0)
        # Names that are equal after they were shortened would give the same sample twice: the
        # first one is kept.
        shown = {
            (self._limits.clip(entry.method), self._limits.clip(entry.name)): entry
            for entry in reversed(rows)
        }
        for key, entry in shown.items():
            earlier_entry = before.get((entry.method, entry.name), _NO_ENTRY)
            for name, value in _values(entry, earlier_entry, seconds).items():
                families[name].add_metric(key, value)
        yield from families.values()

    def _errors(self, snapshot: Snapshot) -> dict[tuple[str, str, str], int]:
        counts: dict[tuple[str, str, str], int] = {}
        per_name: dict[Key, int] = {}
        for error in snapshot.errors:
            name = (error.method, error.name)
            per_name[name] = per_name.get(name, 0) + 1
            if per_name[name] <= self._limits.errors_per_name:
                key = (*name, self._limits.clip(error.error))
                counts[key] = counts.get(key, 0) + error.occurrences
        return counts

    def _earlier(self, snapshot: Snapshot) -> Snapshot:
        first = self._window[0] if self._window else snapshot
        return first if first.epoch == snapshot.epoch else snapshot


def _aggregated(snapshot: Snapshot) -> EntryStatistics:
    entries = requests_among(snapshot.entries)
    fastest = [e.response_time_min_ms for e in entries if e.response_time_min_ms is not None]
    return EntryStatistics(
        "",
        "Aggregated",
        sum(e.requests for e in entries),
        sum(e.failures for e in entries),
        sum(e.requests_untimed for e in entries),
        merge(e.response_times for e in entries),
        sum(e.response_time_total_ms for e in entries),
        min(fastest, default=None),
        max((e.response_time_max_ms for e in entries), default=0.0),
        sum(e.response_bytes for e in entries),
    )


def _values(entry: EntryStatistics, before: EntryStatistics, seconds: float) -> dict[str, float]:
    timed = entry.requests - entry.requests_untimed
    return {
        "num_requests": entry.requests,
        "num_failures": entry.failures,
        "avg_response_time": entry.response_time_total_ms / timed if timed else 0.0,
        "min_response_time": entry.response_time_min_ms or 0.0,
        "max_response_time": entry.response_time_max_ms,
        "median_response_time": percentile(entry.response_times, 0.5) or 0.0,
        "current_rps": (entry.requests - before.requests) / seconds,
        "current_fail_per_sec": (entry.failures - before.failures) / seconds,
        "avg_content_length": entry.response_bytes / entry.requests if entry.requests else 0.0,
    }


def _workers(snapshot: Snapshot) -> Iterator[Metric]:
    states = [worker.state for worker in snapshot.workers]
    yield _gauge("workers_count", len(states) - states.count("missing"))
    yield _gauge("workers_running_count", states.count("running"))
    yield _gauge("workers_hatching_count", states.count("spawning"))
    yield _gauge("workers_missing_count", states.count("missing"))
    detail = GaugeMetricFamily("locust_worker_detail", _TEXT, labels=("id", "state"))
    for worker in snapshot.workers:
        detail.add_metric((worker.id, worker.state), worker.users)
    yield detail


def _gauge(name: str, value: float) -> Metric:
    return GaugeMetricFamily(f"locust_{name}", _TEXT, value)
