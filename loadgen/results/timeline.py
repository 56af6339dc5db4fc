"""A run over time, from the master's snapshots, in bounded memory.

A *point* is what happened between two snapshots, over all names; a *name window* is the same for
one name, more coarsely; a *second* counts what was answered in it. All of it lies within the
measured interval. When there is more than the limit, neighbours are joined, so an hour costs what
ten minutes do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated

from loadgen.results.name_windows import NameWindow, NameWindows
from loadgen.results.seconds import SecondBins
from loadgen.shared.histograms import gain, merge
from loadgen.shared.snapshot import FEW, OTHER_ERRORS, ErrorCount, Snapshot
from loadgen.shared.totals import Totals

POINTS_MAX = 1200
ERRORS_MAX = 6


@dataclass(frozen=True, slots=True)
class Point:
    """Requests that were answered in the `seconds` before `time` (Unix, the master's clock).

    Workers report every second, so a point counts what arrived, up to one report late. CPU is of
    one core; `cpu_percent_max` is the busiest worker's.
    """

    time: float
    seconds: float
    users: int
    requests: int
    failures: int
    response_times: Annotated[dict[float, int], FEW]
    cpu_percent_max: float = 0.0
    cpu_percent_mean: float = 0.0
    errors: Annotated[dict[str, int], FEW] = field(default_factory=dict)


def join(earlier: Point, later: Point) -> Point:
    """Make one point of two neighbours; users are the later ones."""
    seconds = earlier.seconds + later.seconds
    cpu = earlier.cpu_percent_mean * earlier.seconds + later.cpu_percent_mean * later.seconds
    return Point(
        time=later.time,
        seconds=seconds,
        users=later.users,
        requests=earlier.requests + later.requests,
        failures=earlier.failures + later.failures,
        response_times=merge([earlier.response_times, later.response_times]),
        cpu_percent_max=max(earlier.cpu_percent_max, later.cpu_percent_max),
        cpu_percent_mean=cpu / seconds if seconds else later.cpu_percent_mean,
        errors=_added(earlier.errors, later.errors),
    )


def _added(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {error: one.get(error, 0) + other.get(error, 0) for error in {**one, **other}}


@dataclass
class Timeline:
    """Collects points; `add` takes snapshots in order and starts again with each epoch."""

    points_max: int = POINTS_MAX
    points: list[Point] = field(default_factory=list)
    completed: SecondBins = field(default_factory=SecondBins)
    _names: NameWindows = field(default_factory=NameWindows)
    _epoch: str = ""
    _earlier: Totals = field(default_factory=lambda: Totals(0.0))
    _errors: dict[str, int] = field(default_factory=dict)
    _final: bool = False

    def add(self, snapshot: Snapshot, totals: Totals) -> None:
        """Append what was gained since the snapshot before, if it lies within the interval.

        `totals` are those over all of the snapshot's requests.
        """
        if snapshot.measured_from is None:
            return
        if self._epoch != snapshot.epoch:
            self._epoch, self._final, self.points = snapshot.epoch, False, []
            self._earlier, self._errors = Totals(snapshot.measured_from), {}
            self.completed, self._names = SecondBins(), NameWindows(snapshot.measured_from)
        if self._final:
            return
        self.completed.add(snapshot.completed)
        self._names.add(totals.time, snapshot.entries, last=snapshot.final)
        point, errors = self._gain(snapshot, totals), _by_text(snapshot.errors)
        if point.seconds > 0:
            self.points.append(point)
        elif self.points:
            # Answered within the interval, and reported after its end.
            self.points[-1] = join(self.points[-1], replace(point, users=self.points[-1].users))
        self._earlier, self._errors, self._final = totals, errors, snapshot.final
        if len(self.points) > self.points_max:
            self.points = _halve(self.points)

    def _gain(self, snapshot: Snapshot, later: Totals) -> Point:
        earlier, errors = self._earlier, _by_text(snapshot.errors)
        seconds = max(0.0, later.time - earlier.time)
        cpu = [worker.cpu_percent for worker in snapshot.workers if seconds] or [0.0]
        gained = {error: n - self._errors.get(error, 0) for error, n in errors.items()}
        return Point(
            time=max(later.time, earlier.time),
            seconds=seconds,
            users=snapshot.users,
            requests=max(0, later.requests - earlier.requests),
            failures=max(0, later.failures - earlier.failures),
            response_times=gain(later.response_times, earlier.response_times),
            cpu_percent_max=max(cpu),
            cpu_percent_mean=sum(cpu) / len(cpu),
            errors={error: count for error, count in gained.items() if count > 0},
        )

    def name_windows(self) -> list[NameWindow]:
        """Return the windows of the names that were seen first."""
        return self._names.windows()


def _by_text(errors: Sequence[ErrorCount]) -> dict[str, int]:
    """Count the errors that came first by their text, the rest together."""
    counts: dict[str, int] = {}
    for error in errors:
        known = error.error in counts or len(counts) < ERRORS_MAX
        text = error.error if known else OTHER_ERRORS
        counts[text] = counts.get(text, 0) + error.occurrences
    return counts


def _halve(points: list[Point]) -> list[Point]:
    joined = [join(*pair) for pair in zip(points[::2], points[1::2], strict=False)]
    return joined + points[len(joined) * 2 :]


def regroup(points: Sequence[Point], seconds: float) -> list[Point]:
    """Join points into windows of about `seconds`, counted from the interval's begin.

    A window without a point of its own is left out; one point may be longer than a window.
    """
    if not points:
        return []
    start = points[0].time - points[0].seconds
    windows: dict[int, Point] = {}
    for point in points:
        # A point belongs where its middle lies: snapshots come a little early or late.
        index = int((point.time - point.seconds / 2 - start) // seconds)
        windows[index] = join(windows[index], point) if index in windows else point
    return list(windows.values())
