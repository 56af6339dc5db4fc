"""A run over time, from the master's snapshots, in bounded memory.

A *point* is what happened between two snapshots, over all names. When a run has more points than
the limit, neighbours are joined, so an hour costs what ten minutes do.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from loadgen.shared.histograms import difference, merge
from loadgen.shared.snapshot import Snapshot
from loadgen.shared.totals import Totals

POINTS_MAX = 1200


@dataclass(frozen=True, slots=True)
class Point:
    """Requests that finished in the `seconds` before `time` (Unix seconds, the master's clock).

    Workers report every few seconds, so a point counts what arrived, up to one report late.
    """

    time: float
    seconds: float
    users: int
    requests: int
    failures: int
    response_times: dict[float, int]


def join(earlier: Point, later: Point) -> Point:
    """Make one point of two neighbours; users are the later ones."""
    return Point(
        time=later.time,
        seconds=earlier.seconds + later.seconds,
        users=later.users,
        requests=earlier.requests + later.requests,
        failures=earlier.failures + later.failures,
        response_times=merge([earlier.response_times, later.response_times]),
    )


@dataclass
class Timeline:
    """Collects points; `add` takes snapshots in order and starts again with each epoch."""

    points_max: int = POINTS_MAX
    points: list[Point] = field(default_factory=list)
    _epoch: str = ""
    _earlier: Totals = field(default_factory=lambda: Totals(0.0))
    _final: bool = False

    def add(self, snapshot: Snapshot, totals: Totals) -> None:
        """Append what was gained since the snapshot before; idle time is left out.

        `totals` are those over all of the snapshot's entries.
        """
        started = snapshot.test_started_at
        if started is None:
            return
        if self._epoch != snapshot.epoch:
            self._epoch, self._final, self.points = snapshot.epoch, False, []
            self._earlier = Totals(min(started, snapshot.time))
        if self._final or totals.time <= self._earlier.time:
            return
        self.points.append(_gain(snapshot.users, totals, self._earlier))
        self._earlier, self._final = totals, snapshot.final
        if len(self.points) > self.points_max:
            self.points = _halve(self.points)


def _gain(users: int, later: Totals, earlier: Totals) -> Point:
    return Point(
        time=later.time,
        seconds=later.time - earlier.time,
        users=users,
        requests=later.requests - earlier.requests,
        failures=later.failures - earlier.failures,
        response_times=difference(later.response_times, earlier.response_times),
    )


def _halve(points: list[Point]) -> list[Point]:
    joined = [join(*pair) for pair in zip(points[::2], points[1::2], strict=False)]
    return joined + points[len(joined) * 2 :]


def regroup(points: Sequence[Point], seconds: float) -> list[Point]:
    """Join points into windows of about `seconds`, counted from the run's start."""
    if not points:
        return []
    start = points[0].time - points[0].seconds
    windows: dict[int, Point] = {}
    for point in points:
        # A point belongs where its middle lies: snapshots come a little early or late.
        index = int((point.time - point.seconds / 2 - start) // seconds)
        windows[index] = join(windows[index], point) if index in windows else point
    return list(windows.values())
