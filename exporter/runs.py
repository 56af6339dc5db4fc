"""What runs have come to, by run_id: the one under way, and those whose results are at hand.

Gauges of the whole measured interval, exact, as the run's own summary says them. Counters and
histograms tell of any time; these tell of a run, also after its end and at any scrape interval.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from loadgen.shared.histograms import mean, percentiles
from loadgen.shared.snapshot import Snapshot, requests_among
from loadgen.shared.totals import Totals

QUANTILES = (0.5, 0.95, 0.99)
_LABELS = tuple(f"{ratio:g}" for ratio in QUANTILES)
MAXIMUM = "1"
"""The quantile under which the exact maximum is given."""


@dataclass(frozen=True, slots=True)
class RunFigures:
    """One run. Times are Unix seconds, None for what is not known; quantiles are seconds."""

    run_id: str
    started_at: float | None = None
    ended_at: float | None = None
    measured_seconds: float | None = None
    users: float | None = None
    users_peak: float | None = None
    requests_per_second_peak: float | None = None
    requests: float = 0
    failures: float = 0
    response_bytes: float | None = None
    requests_lost: float | None = None
    workers_lost: float | None = None
    workers_expected: float | None = None
    average_seconds: float | None = None
    quantiles: Mapping[str, float] = field(default_factory=dict)
    verdict: str | None = None


def quantiles_of(
    times_ms: Mapping[float, int], maximum_ms: float, minimum_ms: float | None = None
) -> dict[str, float]:
    """Return the quantiles of a histogram in seconds, by label; empty without a time."""
    found = percentiles(times_ms, QUANTILES, minimum_ms, maximum_ms)
    if not found:
        return {}
    labelled = {label: ms / 1000 for label, ms in zip(_LABELS, found, strict=True)}
    labelled[MAXIMUM] = maximum_ms / 1000
    return labelled


def figures_of(snapshot: Snapshot) -> RunFigures | None:
    """Return what the run under way has come to so far; None before one."""
    if not snapshot.run_id or snapshot.test_started_at is None:
        return None
    totals = Totals.over_all(snapshot)
    entries = requests_among(snapshot.entries)
    timed = [entry.response_time_min_ms or 0.0 for entry in entries if entry.response_times]
    average = mean(totals.total_ms, sum(totals.response_times.values()))
    return RunFigures(
        run_id=snapshot.run_id,
        started_at=snapshot.measured_from or snapshot.test_started_at,
        # Until the last statistics have arrived, a worker may still report a later end.
        ended_at=snapshot.measured_until if snapshot.final else None,
        measured_seconds=snapshot.measured_seconds,
        requests=totals.requests,
        failures=totals.failures,
        response_bytes=sum(entry.response_bytes for entry in entries),
        requests_lost=sum(w.requests_sent - w.requests_received for w in snapshot.workers),
        workers_lost=snapshot.workers_lost,
        workers_expected=snapshot.workers_expected,
        average_seconds=None if average is None else average / 1000,
        quantiles=quantiles_of(totals.response_times, totals.maximum_ms, min(timed, default=None)),
    )


class Peaks:
    """The greatest values of the test under way, from every snapshot of it."""

    def __init__(self) -> None:
        self._started_at: float | None = None
        self._measured_from: float | None = None
        self._users = 0
        self._per_second = 0

    def update(self, snapshot: Snapshot) -> None:
        """Take in a snapshot; a second's count grows from one to the next."""
        if snapshot.test_started_at != self._started_at:
            self._users = 0
        if snapshot.measured_from != self._measured_from:
            self._per_second = 0  # what came before, a warm-up, is not measured
        self._started_at, self._measured_from = snapshot.test_started_at, snapshot.measured_from
        if math.isfinite(snapshot.users):
            self._users = max(snapshot.users, self._users)
        if snapshot.measured_from is not None:
            counts = [one.requests for one in snapshot.completed if math.isfinite(one.requests)]
            self._per_second = max([self._per_second, *counts])

    def put_into(self, run: RunFigures) -> RunFigures:
        """Return the run's figures with them."""
        # 0 is no peak of a test that has made no request, and a master that counts no seconds.
        return replace(
            run,
            users=self._users,
            users_peak=self._users,
            requests_per_second_peak=self._per_second or None,
        )


GAUGES: Mapping[str, tuple[str, Callable[[RunFigures], float | None]]] = {
    "start_timestamp_seconds": ("When the run's load began.", lambda run: run.started_at),
    "end_timestamp_seconds": ("When its load ended.", lambda run: run.ended_at),
    "measured_seconds": ("How long was measured.", lambda run: run.measured_seconds),
    "users": ("Users that the run was to reach.", lambda run: run.users),
    "users_peak": ("The most users that ran.", lambda run: run.users_peak),
    "requests_per_second_peak": (
        "The most requests answered in one second, by the workers' clocks.",
        lambda run: run.requests_per_second_peak,
    ),
    "requests": ("Requests of it.", lambda run: run.requests),
    "failures": ("Failures of it.", lambda run: run.failures),
    "response_bytes": ("Bytes of response bodies.", lambda run: run.response_bytes),
    "requests_lost": ("Requests that never reached the master.", lambda run: run.requests_lost),
    "workers_lost": ("Workers that it lost.", lambda run: run.workers_lost),
    "workers_expected": ("Workers that the run expected.", lambda run: run.workers_expected),
    "response_time_average_seconds": ("Mean response time.", lambda run: run.average_seconds),
}


def _with_peaks(kept: RunFigures, live: RunFigures) -> RunFigures:
    """Return what is kept of a run, with the peaks that only its exporter knows."""
    return replace(
        kept,
        users_peak=live.users_peak,
        requests_per_second_peak=live.requests_per_second_peak,
    )


class RunsCollector(Collector):
    """`live` gives the run under way, `past` those kept; the first of an id stands."""

    def __init__(
        self,
        live: Callable[[], RunFigures | None],
        past: Callable[[], Iterable[RunFigures]],
    ) -> None:
        self._live, self._past = live, past

    def collect(self) -> Iterator[Metric]:
        """Yield fresh families.

        locust_run_start_timestamp_seconds{run_id="r1"} 1.79523e+09
        locust_run_requests{run_id="r1"} 1200.0             (and the other gauges)
        locust_run_response_time_seconds{ratio="0.95",run_id="r1"} 0.31
        locust_run_verdict{run_id="r0",verdict="passed"} 1.0
        """
        runs = {run.run_id: run for run in self._past()}
        if (live := self._live()) is not None:
            kept = runs.get(live.run_id)
            runs[live.run_id] = _with_peaks(kept, live) if kept and kept.verdict else live
        for name, (text, value_of) in GAUGES.items():
            family = GaugeMetricFamily(f"locust_run_{name}", text, labels=["run_id"])
            for run in runs.values():
                if (value := value_of(run)) is not None and math.isfinite(value):
                    family.add_metric([run.run_id], value)
            yield family
        times = GaugeMetricFamily(
            "locust_run_response_time_seconds",
            "Exact quantiles of its response times; 1 is the maximum.",
            labels=("ratio", "run_id"),
        )
        verdicts = GaugeMetricFamily(
            "locust_run_verdict", "Verdict of a run that has ended.", labels=("run_id", "verdict")
        )
        for run in runs.values():
            for quantile, seconds in run.quantiles.items():
                times.add_metric((quantile, run.run_id), seconds)
            if run.verdict:
                verdicts.add_metric((run.run_id, run.verdict), 1)
        yield from (times, verdicts)
