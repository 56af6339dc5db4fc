"""The runs of the past as metrics: verdict and figures of each `results/<run_id>/summary.json`."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

MAX_RUNS = 200


@dataclass(frozen=True, slots=True)
class _Run:
    verdict: str
    requests: float
    failures: float
    p95_seconds: float | None


class ArchiveCollector(Collector):
    """Shows the newest runs of a results directory; reads a summary again when it has changed."""

    def __init__(self, results: Path) -> None:
        self._results = results
        self._known: dict[Path, tuple[int, _Run | None]] = {}

    def collect(self) -> Iterator[Metric]:
        """Yield `locust_run_verdict{run_id="…",verdict="passed"} 1.0` and figures by run_id."""
        verdicts = GaugeMetricFamily(
            "locust_run_verdict", "Verdict of a past run.", labels=("run_id", "verdict")
        )
        requests = GaugeMetricFamily("locust_run_requests", "Requests of it.", labels=["run_id"])
        failures = GaugeMetricFamily("locust_run_failures", "Failures of it.", labels=["run_id"])
        p95 = GaugeMetricFamily(
            "locust_run_response_time_p95_seconds", "Its 95th percentile.", labels=["run_id"]
        )
        for run_id, run in self._runs():
            verdicts.add_metric((run_id, run.verdict), 1)
            requests.add_metric([run_id], run.requests)
            failures.add_metric([run_id], run.failures)
            if run.p95_seconds is not None:
                p95.add_metric([run_id], run.p95_seconds)
        yield from (verdicts, requests, failures, p95)

    def _runs(self) -> Iterator[tuple[str, _Run]]:
        # Run ids begin with the time, so names sort by age. `latest` is a link to one of them.
        directories = (path for path in self._results.glob("*/") if not path.is_symlink())
        for directory in islice(sorted(directories, reverse=True), MAX_RUNS):
            run = self._run(directory / "summary.json")
            if run is not None:
                yield directory.name, run

    def _run(self, summary: Path) -> _Run | None:
        try:
            changed = summary.stat().st_mtime_ns
        except OSError:
            return None
        if self._known.get(summary, (0, None))[0] != changed:
            self._known[summary] = (changed, _read(summary))
        return self._known[summary][1]


def _read(summary: Path) -> _Run | None:
    try:
        fields = json.loads(summary.read_text())
        return _Run(
            fields["verdict"],
            fields["requests"],
            fields["failures"],
            fields["response_time_seconds"]["p95"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
