"""What a run shows while it runs: one line in a terminal that renews itself, or plain lines.

Rates and response times are over the last ten seconds of the master's clock, on data merged over
all workers; counts are since the start.
"""

import sys
import textwrap
import time
from collections import deque
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from loadgen.judging.slo_judge import SloResult
from loadgen.shared.command import as_typed
from loadgen.shared.histograms import gain, percentile
from loadgen.shared.snapshot import Snapshot
from loadgen.shared.text import format_seconds, plain, plain_line
from loadgen.shared.totals import Totals

WINDOW_SECONDS = 10.0
PLAIN_INTERVAL_SECONDS = 5.0


def workers_of(ready: int, expected: int) -> str:
    """Return how many workers there are of those that the run began with; some may join later."""
    if ready > expected:
        return f"{ready} workers, {ready - expected} of them joined later"
    return f"{ready}/{expected} workers"


class Window:
    """The last seconds of a run, as the difference of two snapshots of one epoch."""

    def __init__(self, seconds: float = WINDOW_SECONDS) -> None:
        self._seconds = seconds
        self._epoch = ""
        self._states: deque[Totals] = deque()

    def add(self, snapshot: Snapshot, totals: Totals) -> None:
        """Take one more snapshot and its totals; a new epoch starts the window again."""
        if snapshot.epoch != self._epoch:
            self._epoch = snapshot.epoch
            self._states.clear()
            started = snapshot.measured_from or snapshot.test_started_at or snapshot.time
            self._states.append(Totals(min(started, totals.time)))
        self._states.append(totals)
        while len(self._states) > 2 and self._states[1].time <= totals.time - self._seconds:
            self._states.popleft()

    @property
    def requests_per_second(self) -> float:
        """Finished requests a second over the window."""
        first, last = self._states[0], self._states[-1]
        seconds = last.time - first.time
        return (last.requests - first.requests) / seconds if seconds > 0 else 0.0

    @property
    def requests(self) -> int:
        """Finished requests since the epoch began."""
        return self._states[-1].requests

    @property
    def failures(self) -> int:
        """Failed requests since the epoch began."""
        return self._states[-1].failures

    def percentile_ms(self, part: float) -> float | None:
        """Return a percentile of the window's response times in milliseconds."""
        gained = gain(self._states[-1].response_times, self._states[0].response_times)
        return percentile(gained, part)


class Progress:
    """Shows steps and snapshots on a terminal, or as plain lines every five seconds elsewhere."""

    def __init__(self, run_time_seconds: float | None, output: TextIO | None = None) -> None:
        self._run_time = run_time_seconds
        self._console = Console(file=output or sys.stdout, highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._window = Window()
        self._last_line_at = -PLAIN_INTERVAL_SECONDS

    def step(self, sentence: str) -> None:
        """Tell what happens now."""
        self._console.print(Text(as_typed(plain(sentence))))

    def show(self, snapshot: Snapshot, totals: Totals, slos: Sequence[SloResult] = ()) -> None:
        """Show the run as of this snapshot, and how many SLOs hold so far."""
        if snapshot.test_started_at is None:
            return
        self._window.add(snapshot, totals)
        parts = [*self._parts(snapshot), *_slo_state(slos)]
        if self._console.is_terminal:
            if self._live is None:
                self._live = Live(console=self._console, auto_refresh=False, transient=False)
                self._live.start()
            self._live.update(Text(fold(parts, self._console.width)), refresh=True)
            return
        now = time.monotonic()
        due = now - self._last_line_at >= PLAIN_INTERVAL_SECONDS and snapshot.users > 0
        if due or snapshot.final:
            self._last_line_at = now
            self._console.print(Text("  ".join(parts)))

    def close(self) -> None:
        """Leave the terminal as it was found."""
        if self._live:
            self._live.stop()
            self._live = None

    def _parts(self, snapshot: Snapshot) -> list[str]:
        window = self._window
        ready = sum(worker.state != "missing" for worker in snapshot.workers)
        shown = workers_of(ready, snapshot.workers_expected)
        workers = () if snapshot.load_stopped_at else (shown,)
        return [
            self._time_left(snapshot),
            f"{snapshot.users}/{snapshot.users_target} users",
            f"{window.requests_per_second:,.1f} req/s",
            f"{window.requests:,} requests",
            f"{window.failures:,} failed",
            *(f"p{part} {self._shown(part / 100)}" for part in (50, 95, 99)),
            *workers,
        ]

    def _shown(self, part: float) -> str:
        milliseconds = self._window.percentile_ms(part)
        return "-" if milliseconds is None else format_seconds(milliseconds / 1000)

    def _time_left(self, snapshot: Snapshot) -> str:
        started = snapshot.test_started_at or snapshot.time
        if snapshot.state in ("stopping", "stopped"):
            return f"{snapshot.state:>10}"
        if self._run_time is None:
            return f"{snapshot.time - started:4.0f} s run"
        return f"{max(0.0, started + self._run_time - snapshot.time):4.0f} s left"


def fold(parts: Sequence[str], width: int) -> str:
    """Join parts with two blanks, on as many lines as it takes that none is cut off."""
    lines = [""]
    for part in parts:
        longer = f"{lines[-1]}  {part}" if lines[-1] else part
        if len(longer) <= width:
            lines[-1] = longer
        else:
            lines += textwrap.wrap(part, max(20, width), subsequent_indent="  ")
    return "\n".join(line for line in lines if line)


def _slo_state(slos: Sequence[SloResult]) -> list[str]:
    judged = [slo for slo in slos if slo.held is not None]
    if not judged:
        return []
    broken = [slo.slo for slo in judged if not slo.held]
    return [
        f"{len(judged) - len(broken)}/{len(slos)} SLOs hold"
        + (f" (not: {plain_line(broken[0])})" if broken else "")
        + (f" ({len(slos) - len(judged)} without data)" if len(slos) > len(judged) else "")
    ]
