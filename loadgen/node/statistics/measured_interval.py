"""In the master: which statistics are the run's, and which came before and after.

    test start ── warm-up ──┤ measured interval ├── users finish ── last statistics
                       measured_from       load_stopped_at

The interval begins exactly when the warm-up ends and ends exactly when the stop begins: at both
moments every worker sends what it has gathered, so that a report belongs to one phase. Until the
stop Locust's own statistics are the interval's (they are reset when it begins). From then on they
count on for Locust's files, and copies of our own are kept: of what was answered within the
interval, and of what was answered after it.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from locust.runners import MasterRunner
from locust.stats import RequestStats, StatsEntry, StatsError

from loadgen.shared.snapshot import TRANSACTION_METHODS, SecondCount

MEASURE_MESSAGE = "loadgen_measure"
# Each snapshot repeats the newest seconds, so that a lost snapshot loses no second.
SECONDS_SENT = 30


class MeasuredInterval:
    """The statistics of one master by phase. `longest` returns the workers' own measured time."""

    def __init__(self, runner: MasterRunner, longest: Callable[[], float]) -> None:
        self._runner = runner
        self._longest = longest
        self._kept: RequestStats | None = None
        self.after = _statistics()
        self._was_reset = False
        self._from_monotonic = 0.0
        self._until_monotonic: float | None = None
        self.began_at: float | None = None

    def begin_test(self, *, warm_up: bool) -> None:
        """Begin a test, with a warm-up or with measuring."""
        self._begin()
        if warm_up:
            self.began_at = None

    def begin_measuring(self) -> None:
        """End the warm-up, here and on every worker."""
        self._runner.stats.reset_all()
        self._begin()
        self._runner.send_message(MEASURE_MESSAGE)

    def begin_epoch(self) -> None:
        """Measure from now, if anything was measured: somebody reset the statistics."""
        if self.began_at is not None:
            self._begin()
            self._was_reset = True

    def _begin(self) -> None:
        self.began_at, self._from_monotonic = time.time(), time.monotonic()
        self._kept, self.after, self._until_monotonic = None, _statistics(), None
        self._was_reset = False

    def stop(self) -> None:
        """End measuring: keep what there is apart from what is still to come."""
        if self._kept is None:
            self._until_monotonic = time.monotonic()
            self._kept = _copy(self._runner.stats)

    def is_late_warm_up(self, data: Mapping[str, Any]) -> bool:
        """Tell whether a report is of the warm-up though measuring has begun."""
        return self.began_at is not None and _phase(data) == "warm_up"

    def ask_again(self, worker: str) -> None:
        """Tell one worker, which may have come later, that the warm-up is over."""
        self._runner.send_message(MEASURE_MESSAGE, client_id=worker)

    def receive(self, data: Mapping[str, Any]) -> None:
        """Take in a report that Locust has merged."""
        if self._kept is not None:
            _merge(self.after if _phase(data) == "stopping" else self._kept, data)

    @property
    def within(self) -> RequestStats:
        """What was answered within the interval."""
        return self._runner.stats if self._kept is None else self._kept

    @property
    def requests_total(self) -> int:
        """Locust's own total of both, beside the entries."""
        return int(self.within.total.num_requests + self.after.total.num_requests)

    @property
    def seconds(self) -> float:
        """How long has been measured: by the workers' clocks at the end, by ours until then.

        It is the longest of the workers' own times: a rate over it is never too high.
        """
        if self.began_at is None:
            return 0.0
        ours = (self._until_monotonic or time.monotonic()) - self._from_monotonic
        if self._until_monotonic is None or self._was_reset:
            return ours
        return self._longest() or ours

    def completed(self) -> list[SecondCount]:
        """Return the newest seconds of the interval that had answers, oldest first."""
        return completed_of(self.within)


def completed_of(stats: RequestStats) -> list[SecondCount]:
    """Return the newest seconds that had answers, oldest first."""
    rows = [e for e in stats.entries.values() if e.method not in TRANSACTION_METHODS]
    rows = rows or [stats.total]
    newest = int(stats.last_request_timestamp or 0)
    counts = (
        SecondCount(
            second,
            sum(row.num_reqs_per_sec.get(second, 0) for row in rows),
            sum(row.num_fail_per_sec.get(second, 0) for row in rows),
        )
        for second in range(newest - SECONDS_SENT + 1, newest + 1)
    )
    return [count for count in counts if count.requests]


def empty(data: dict[str, Any]) -> None:
    """Take the statistics out of a report, so that Locust merges nothing of it."""
    data["stats"], data["errors"] = [], {}
    data["stats_total"] = StatsEntry(_statistics(), "Aggregated", "").serialize()


def _phase(data: Mapping[str, Any]) -> object:
    return data.get("loadgen", {}).get("phase")


def _statistics() -> RequestStats:
    return RequestStats(use_response_times_cache=False)


def _copy(stats: RequestStats) -> RequestStats:
    copied = _statistics()
    for entry in stats.entries.values():
        copied.get(entry.name, entry.method).extend(entry)
    copied.total.extend(stats.total)
    for key, error in stats.errors.items():
        copied.errors[key] = StatsError(error.method, error.name, error.error, error.occurrences)
    return copied


def _merge(stats: RequestStats, data: Mapping[str, Any]) -> None:
    """Add a report, as Locust's own listener does."""
    for row in data["stats"]:
        entry = StatsEntry.unserialize(row, stats)
        stats.get(entry.name, entry.method).extend(entry)
    stats.total.extend(StatsEntry.unserialize(data["stats_total"], stats))
    for key, row in data["errors"].items():
        if key in stats.errors:
            stats.errors[key].occurrences += row["occurrences"]
        else:
            stats.errors[key] = StatsError.unserialize(row)
