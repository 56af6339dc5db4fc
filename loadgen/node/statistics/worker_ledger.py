"""Compares what workers reported about themselves with what the master received and saw.

Pure: the publisher feeds it reports and sightings. An *epoch* is a stretch of uninterrupted
statistics, a *test* may have several (each reset starts one).
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MISSING = "missing"


@dataclass(slots=True)
class WorkerRecord:
    """One worker's last report, and what has been received from it in this epoch."""

    test: int = -1
    requests: int = 0
    received: int = 0
    final: bool = False
    clock_offset_seconds: float | None = None
    cpu_percent: float | None = None
    memory_bytes: int | None = None
    release: str = ""
    locust_version: str = ""
    stalled_seconds: float = 0.0
    requests_cut: int = 0
    held_up: str = ""
    refused: Mapping[str, int] = field(default_factory=dict)
    measured_seconds: float = 0.0
    baseline_test: int = -1
    baseline_requests: int = 0

    @property
    def sent(self) -> int:
        """Requests that the worker says it has sent in this epoch."""
        same_test = self.test == self.baseline_test
        return self.requests - (self.baseline_requests if same_test else 0)


class WorkerLedger:
    """Every worker's record, and the workers lost since the test began."""

    def __init__(self) -> None:
        self._records: dict[str, WorkerRecord] = {}
        self._members: set[str] = set()
        self.lost: set[str] = set()

    def record(self, worker: str) -> WorkerRecord:
        """Return the worker's record, empty before its first report."""
        return self._records.setdefault(worker, WorkerRecord())

    def parted(self, present: set[str]) -> list[str]:
        """Return the workers of this test that were not lost and are not `present` any more."""
        return sorted(self._members - self.lost - present)

    def begin_epoch(self) -> None:
        """Count sent and received from zero."""
        for worker in self._records:
            self.forget(worker)

    def forget(self, worker: str) -> None:
        """Count what one worker sent and what was received of it from zero."""
        record = self.record(worker)
        record.baseline_test, record.baseline_requests = record.test, record.requests
        record.received = 0

    def measured_seconds(self) -> float:
        """Return the longest time that a worker says it has measured for; 0 without any."""
        measured = (self.record(worker).measured_seconds for worker in self._members)
        return max(measured, default=0.0)

    def begin_test(self, workers: Mapping[str, str]) -> None:
        """Forget the last test's losses; `workers` maps ids to Locust's states."""
        self.lost.clear()
        self._members = {worker for worker, state in workers.items() if state != MISSING}
        self._records = {w: record for w, record in self._records.items() if w in workers}
        for record in self._records.values():
            record.final, record.measured_seconds = False, 0.0
            record.refused = {}

    def receive(self, worker: str, data: Mapping[str, Any], now: float) -> None:
        """Take in one `stats` message that arrived at `now` (Unix seconds)."""
        record = self.record(worker)
        record.received += data["stats_total"]["num_requests"]
        report = data.get("loadgen")
        if report is None:
            return
        record.test, record.requests = report["test"], report["requests"]
        record.final = report["final"]
        record.clock_offset_seconds = report["clock"] - now
        record.cpu_percent, record.memory_bytes = report["cpu_percent"], report["memory_bytes"]
        record.stalled_seconds = report["stalled_seconds"]
        record.requests_cut = report["requests_cut"]
        record.held_up = report.get("held_up", "")
        record.refused = report.get("refused", {})
        record.measured_seconds = report["measured_seconds"]
        record.release, record.locust_version = report["release"], report["locust_version"]

    def observe(self, workers: Mapping[str, str], *, running: bool) -> None:
        """Note losses: a worker of this test is missing, or gone while the test still runs.

        One that sent its last statistics before it left was let go, not lost.
        """
        if running:
            self._members.update(w for w, state in workers.items() if state != MISSING)
            gone = self._members - workers.keys()
            self.lost.update(worker for worker in gone if not self.record(worker).final)
        missing = {worker for worker, state in workers.items() if state == MISSING}
        self.lost.update(missing & self._members)

    def refused(self) -> dict[str, int]:
        """Return how many values the workers of this test have replaced, by kind."""
        counts: Counter[str] = Counter()
        for record in self._records.values():
            counts.update(record.refused)
        return dict(counts)

    def closed(self) -> bool:
        """Tell whether every worker of the test has sent its last statistics or is lost."""
        return not self.unfinished()

    def unfinished(self) -> int:
        """Return how many workers of the test are not lost and yet owe their last statistics."""
        return sum(not self.record(worker).final for worker in self._members - self.lost)
