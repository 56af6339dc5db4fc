"""Turns snapshots into Prometheus metric families. Pure: clock and snapshots come from outside.

Counters (`_total`, the histogram) go on over tests, runs and masters. Gauges tell of now: they
are there only while the master is heard, so a gap is a gap. `locust_exporter_*` is about this
process, everything else about the load.
"""

import math
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
    StateSetMetricFamily,
)
from prometheus_client.registry import Collector

from exporter.by_name import ByName, Figures, counters
from exporter.growth import Growth
from exporter.histogram import EDGE_LABELS
from exporter.runs import Peaks, RunFigures, figures_of
from exporter.totals import Fold, Key, Limits, Sums
from loadgen.shared.snapshot import Snapshot, WorkerStatus, requests_among

SILENCE_SECONDS = 4.0
"""A master publishes every second; after this long without a snapshot it counts as down."""

STATES = ("ready", "spawning", "running", "stopping", "stopped")
WORKER_STATES = ("ready", "spawning", "running", "missing")
BY_NAME = ("method", "name")
HISTOGRAM = "locust_response_time_seconds"
HISTOGRAM_TEXT = "Response times."


@dataclass(frozen=True, slots=True)
class View:
    """What one scrape shows: `snapshot` is None while the master is silent."""

    snapshot: Snapshot | None
    sums: dict[Key, Sums]
    age: float
    names_over_limit: int


class LocustCollector(Collector):
    """Holds the last snapshot and the sums of all before it; yields them when scraped."""

    def __init__(self, clock: Callable[[], float], limits: Limits | None = None) -> None:
        self._clock = clock
        self._fold = Fold(limits or Limits())
        self._growth = Growth()
        self._figures = Figures()
        self._lock = threading.Lock()
        self._last: Snapshot | None = None
        self._arrived_at = -math.inf
        self._snapshots = 0
        self._invalid = 0
        self._held = False
        self._peaks = Peaks()
        self._sums: dict[Key, Sums] | None = None

    @property
    def last(self) -> Snapshot | None:
        """The snapshot that arrived last."""
        return self._last

    def heard(self) -> Snapshot | None:
        """Return the last snapshot while the master is heard, else None."""
        return self._last if self._clock() - self._arrived_at < SILENCE_SECONDS else None

    def update(self, snapshot: Snapshot) -> bool:
        """Take in a snapshot; return True when it begins another epoch."""
        with self._lock:
            snapshot = self._growth.mended(snapshot)
            self._last, self._arrived_at, self._sums = snapshot, self._clock(), None
            self._snapshots += 1
            self._peaks.update(snapshot)
            return self._fold.update(snapshot)

    def hold(self) -> None:
        """Show the last snapshot from now on, however old: nothing will follow it."""
        self._held = True

    def refuse(self) -> None:
        """Count a message that was not a snapshot."""
        self._invalid += 1

    def counts(self) -> tuple[str, dict[Key, Sums], dict[Key, Sums]]:
        """Return the epoch, the sums before it and those until now: what a restart needs."""
        with self._lock:
            return self._fold.epoch, self._fold.base, self._fold.current()

    def restore(
        self, epoch: str, base: dict[Key, Sums], seen: dict[Key, Sums] | None = None
    ) -> None:
        """Go on from what `counts` returned in an earlier process."""
        with self._lock:
            self._fold.restore(epoch, base, seen)

    def collect(self) -> Iterator[Metric]:
        """Yield every family as of now: `overview`, then the response-time histograms."""
        view = self.view()
        yield from self.overview(view)
        yield from (family.family() for family in self.by_name(view))
        yield histograms(view.sums)

    def view(self, *, as_of_last_snapshot: bool = False) -> View:
        """Take what one scrape needs, as of now or of the last snapshot's arrival."""
        with self._lock:
            if self._sums is None:
                self._sums = self._fold.current()
            last = as_of_last_snapshot or (self._held and self._last is not None)
            age = 0.0 if last else self._clock() - self._arrived_at
            heard = self._last if age < SILENCE_SECONDS else None
            return View(heard, self._sums, age, self._fold.names_over_limit)

    def overview(self, view: View) -> Iterator[Metric]:
        """Yield fresh families; with `by_name`, `histograms`, `locust_exporter_*` they are these.

        locust_up 1.0
        locust_run_info{host="http://shop.test",locustfile="hello.py",run_id="r1"} 1.0
        locust_state{locust_state="running"} 1.0        (and one for each other state)
        locust_users 50.0
        locust_users_target 50.0
        locust_workers{state="running"} 2.0             (and one for each other state)
        locust_workers_expected 2.0
        locust_workers_lost 0.0
        locust_worker_users{worker="gen1_0"} 25.0
        locust_worker_cpu_ratio{worker="gen1_0"} 0.41
        locust_worker_memory_bytes{worker="gen1_0"} 8.4934656e+07
        locust_worker_clock_offset_seconds{worker="gen1_0"} -0.0003
        locust_worker_info{release="…",version="2.47.0",worker="gen1_0"} 1.0
        locust_slo_held{run_id="r1",slo="p95 of GET / at most 2 s"} 1.0   (0: it broke)
        locust_slo_measured{run_id="r1",slo="p95 of GET / at most 2 s"} 0.31
        locust_slo_limit{run_id="r1",slo="p95 of GET / at most 2 s"} 2.0
        locust_master_cpu_ratio 0.02
        locust_master_memory_bytes 9.1e+07
        locust_test_start_timestamp_seconds 1.79523e+09
        locust_test_end_timestamp_seconds 1.79524e+09   (once it has ended)
        locust_test_requests 1200.0
        locust_test_failures 3.0
        locust_test_requests_lost 0.0
        locust_test_values_refused{kind="time_negative"} 2.0   (for each kind that there was)
        locust_requests_total{method="GET",name="/"} 1200.0
        locust_requests_failed_total{method="GET",name="/"} 3.0
        locust_request_failures_total{error="…",method="GET",name="/"} 3.0
        locust_run_errors{error="…",method="GET",name="/",run_id="r1"} 3.0   (the most frequent)
        locust_run_name_requests{method="GET",name="/",run_id="r1"} 1200.0
        locust_run_name_failures{method="GET",name="/",run_id="r1"} 3.0
        locust_run_name_response_time_average_seconds{method="GET",name="/",run_id="r1"} 0.02
        locust_run_name_response_time_seconds{method="GET",name="/",ratio="0.95",run_id="r1"} 0.3
        locust_response_bytes_total{method="GET",name="/"} 43200.0
        locust_response_time_seconds_bucket{le="0.000101",method="GET",name="/"} 0.0
        locust_response_time_seconds_count{method="GET",name="/"} 1200.0
        locust_response_time_seconds_sum{method="GET",name="/"} 14.2
        """
        snapshot = view.snapshot
        up = float(snapshot is not None)
        yield GaugeMetricFamily("locust_up", "Whether the master has sent a message lately.", up)
        yield from self._own_work(view)
        if snapshot is not None:
            yield from _run(snapshot)
            yield from _workers(snapshot)
            yield from _slos(snapshot, self._fold.limits)
            yield _run_errors(snapshot, self._fold.limits)
        yield _errors(view.sums)

    def by_name(self, view: View) -> Iterator[ByName]:
        """Yield the families with a sample for each name."""
        if view.snapshot is not None and view.snapshot.run_id:
            yield from self._figures.families(view.snapshot, self._fold.limits)
        yield from counters(view.sums)

    def run(self) -> RunFigures | None:
        """Return what the run under way has come to; None while the master is silent."""
        snapshot = self._last if self._held else self.heard()
        found = None if snapshot is None else figures_of(snapshot)
        return None if found is None else self._peaks.put_into(found)

    def _own_work(self, view: View) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "locust_exporter_snapshots_total", "Snapshots received.", self._snapshots
        )
        yield CounterMetricFamily(
            "locust_exporter_snapshots_invalid_total",
            "Messages that were not snapshots of this release.",
            self._invalid,
        )
        refused = CounterMetricFamily(
            "locust_exporter_values_refused_total",
            "Counts that were left at their last value, because they went back or were no numbers.",
            labels=["kind"],
        )
        for kind, count in self._growth.refused.items():
            refused.add_metric([kind], count)
        yield refused
        gauges: list[tuple[str, str, float]] = [
            ("names", "Series of (method, name).", len(view.sums)),
            ("names_over_limit", "Names that share the overflow series.", view.names_over_limit),
        ]
        if self._last is not None:
            gauges.append(("snapshot_age_seconds", "Time since the last snapshot.", view.age))
        for name, text, value in gauges:
            yield GaugeMetricFamily(f"locust_exporter_{name}", text, value)


def _run(snapshot: Snapshot) -> Iterator[Metric]:
    yield InfoMetricFamily(
        "locust_run",
        "The run under way, or the last one.",
        {"run_id": snapshot.run_id, "locustfile": snapshot.locustfile, "host": snapshot.host},
    )
    states = dict.fromkeys(STATES, False) | {snapshot.state: True}
    yield StateSetMetricFamily("locust_state", "State of the master.", states)
    counted = requests_among(snapshot.entries)
    requests = sum(entry.requests for entry in counted)
    failures = sum(entry.failures for entry in counted)
    lost = sum(worker.requests_sent - worker.requests_received for worker in snapshot.workers)
    gauges: list[tuple[str, str, float | None]] = [
        ("users", "Users running.", snapshot.users),
        ("users_target", "Users that the test is to reach.", snapshot.users_target),
        ("workers_expected", "Workers that the test expects.", snapshot.workers_expected),
        ("workers_lost", "Workers lost since the test began.", snapshot.workers_lost),
        ("master_cpu_ratio", "CPU of the master; 1 is a core.", snapshot.master_cpu_percent / 100),
        ("master_memory_bytes", "Resident memory of the master.", snapshot.master_memory_bytes),
        ("test_start_timestamp_seconds", "When the test began.", snapshot.test_started_at),
        ("test_end_timestamp_seconds", "When the test ended.", snapshot.test_stopped_at),
        ("test_requests", "Requests since the test began or its statistics were reset.", requests),
        ("test_failures", "Failures since the test began or its statistics were reset.", failures),
        ("test_requests_lost", "Requests that workers counted and the master never got.", lost),
    ]
    for name, text, value in gauges:
        if value is not None and math.isfinite(value):
            yield GaugeMetricFamily(f"locust_{name}", text, value)
    replaced = GaugeMetricFamily(
        "locust_test_values_refused",
        "Values of requests that were invalid and that workers replaced.",
        labels=["kind"],
    )
    for kind, count in snapshot.refused.items():
        replaced.add_metric([kind], count)
    if snapshot.refused:
        yield replaced


def worker_label(worker: WorkerStatus) -> str:
    """Name a worker `<hostname>_<index>`: Locust's id ends in a random part, which would churn."""
    return f"{worker.id.rpartition('_')[0] or worker.id}_{worker.index}"


def _workers(snapshot: Snapshot) -> Iterator[Metric]:
    counts = dict.fromkeys(WORKER_STATES, 0)
    users = GaugeMetricFamily("locust_worker_users", "Users on the worker.", labels=["worker"])
    cpu = GaugeMetricFamily(
        "locust_worker_cpu_ratio", "CPU of the worker; 1 is a core.", labels=["worker"]
    )
    memory = GaugeMetricFamily(
        "locust_worker_memory_bytes", "Resident memory of the worker.", labels=["worker"]
    )
    offset = GaugeMetricFamily(
        "locust_worker_clock_offset_seconds",
        "Worker's clock minus the master's, transit included.",
        labels=["worker"],
    )
    identity = InfoMetricFamily("locust_worker", "What the worker runs.", labels=["worker"])
    for worker in snapshot.workers:
        counts[worker.state] = counts.get(worker.state, 0) + 1
        label = [worker_label(worker)]
        for family, value in (
            (users, worker.users),
            (cpu, worker.cpu_percent / 100),
            (memory, worker.memory_bytes),
            (offset, worker.clock_offset_seconds),
        ):
            if value is not None and math.isfinite(value):
                family.add_metric(label, value)
        identity.add_metric(label, {"release": worker.release, "version": worker.locust_version})
    workers = GaugeMetricFamily("locust_workers", "Workers by state.", labels=["state"])
    for state, count in counts.items():
        workers.add_metric([state], count)
    yield from (workers, users, cpu, memory, offset, identity)


def _slos(snapshot: Snapshot, limits: Limits) -> Iterator[Metric]:
    labels = ("slo", "run_id")
    held = GaugeMetricFamily("locust_slo_held", "Whether an SLO holds so far.", labels=labels)
    measured = GaugeMetricFamily(
        "locust_slo_measured", "What an SLO speaks of, in its unit.", labels=labels
    )
    limit = GaugeMetricFamily("locust_slo_limit", "Limit of an SLO, in its unit.", labels=labels)
    statuses = {limits.clip(status.slo): status for status in snapshot.slos[: limits.names]}
    for text, status in statuses.items():
        if math.isfinite(status.limit):
            limit.add_metric((text, snapshot.run_id), status.limit)
        if status.held is not None:
            held.add_metric((text, snapshot.run_id), float(status.held))
        if status.measured is not None:
            measured.add_metric((text, snapshot.run_id), status.measured)
    if statuses:
        yield from (held, measured, limit)


def _errors(sums: dict[Key, Sums]) -> Metric:
    failures = CounterMetricFamily(
        "locust_request_failures_total", "Failures by error.", labels=(*BY_NAME, "error")
    )
    for key, totals in sorted(sums.items()):
        for error, occurrences in totals.errors_named.items():
            failures.add_metric((*key, error), occurrences)
    return failures


def _run_errors(snapshot: Snapshot, limits: Limits) -> Metric:
    family = GaugeMetricFamily(
        "locust_run_errors", "Failures of this run by error.", labels=(*BY_NAME, "error", "run_id")
    )
    counts: dict[tuple[str, ...], int] = {}
    for error in snapshot.errors:
        labels = tuple(limits.clip(text) for text in (error.method, error.name, error.error))
        if math.isfinite(error.occurrences):
            counts[labels] = counts.get(labels, 0) + error.occurrences
    frequent = sorted(counts.items(), key=lambda item: -item[1])
    for labels, occurrences in frequent[: limits.run_errors]:
        family.add_metric((*labels, snapshot.run_id), occurrences)
    return family


def histograms(sums: dict[Key, Sums]) -> Metric:
    """Return the response-time histograms, one for each `(method, name)`."""
    family = HistogramMetricFamily(HISTOGRAM, HISTOGRAM_TEXT, labels=BY_NAME)
    for key, totals in sorted(sums.items()):
        seconds = totals.response_time_total_ms / 1000
        family.add_metric(key, _cumulative(totals.buckets), seconds)
    return family


def _cumulative(buckets: list[int]) -> list[tuple[str, float]]:
    total = 0
    cumulative: list[tuple[str, float]] = []
    for label, count in zip(EDGE_LABELS, buckets, strict=True):
        total += count
        cumulative.append((label, total))
    return cumulative
