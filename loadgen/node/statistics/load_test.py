"""Where a master's load test stands: since when, in which epoch, and whether all has arrived.

    ready ─begin─► load ─load_stopped─► stopping ─end─► waiting for last statistics ─settle─► final

Pure: the publisher tells it of Locust's events and of the time.
"""

import uuid
from collections.abc import Mapping

from loadgen.node.statistics.worker_ledger import WorkerLedger
from loadgen.shared.snapshot import EndedBy

# How long after the end of a test its last statistics are waited for, beyond Locust's own wait.
FINAL_REPORT_SECONDS = 5.0


class LoadTest:
    """One master's tests, one after the other. Times are Unix seconds.

    `final` is True from the moment that a test's last statistics are in until the next test. An
    *epoch* is a stretch of statistics that only grow: a test's, or what follows a reset.
    """

    def __init__(self) -> None:
        self.ledger = WorkerLedger()
        self.started_at: float | None = None
        self.stopped_at: float | None = None
        self.load_stopped_at: float | None = None
        self.ended_by: EndedBy = ""
        self.final, self.ended_by = False, ""
        self.workers_at_start = 0
        self._master = uuid.uuid4().hex
        self._epochs = 0
        self._patience_ends = 0.0

    @property
    def epoch(self) -> str:
        """Name of the epoch, unlike that of any other master."""
        return f"{self._master}-{self._epochs}"

    def begin_epoch(self) -> None:
        """Count from zero."""
        self._epochs += 1
        self.ledger.begin_epoch()

    def begin(self, workers: Mapping[str, str], now: float) -> None:
        """Begin a test; `workers` maps ids to Locust's states."""
        self.started_at, self.stopped_at, self.load_stopped_at = now, None, None
        self.final = False
        self.workers_at_start = sum(state != "missing" for state in workers.values())
        self.ledger.begin_test(workers)

    def observe(self, workers: Mapping[str, str], *, running: bool) -> None:
        """See who is there; who is lost counts while a test is under way."""
        if self.started_at is not None and self.stopped_at is None:
            self.ledger.observe(workers, running=running)

    def end(self, now: float, monotonic: float, stop_timeout: float) -> None:
        """Note the end; the last statistics are waited for from here on."""
        self.stopped_at = now
        # Setting the clock meanwhile must not change how long this waits.
        self._patience_ends = monotonic + stop_timeout + FINAL_REPORT_SECONDS
        self.settle(monotonic)

    def settle(self, monotonic: float) -> bool:
        """Look whether the last statistics are in, or waited for too long; True when just so."""
        if self.stopped_at is None or self.final:
            return False
        self.final = self.ledger.closed() or monotonic > self._patience_ends
        return self.final

    def close(self) -> None:
        """Nothing will arrive any more."""
        self.final = self.final or self.started_at is not None
