"""Request rates over time: constant, recorded as `time,rps` rows, or a week hour by hour. Pure."""

import bisect
import csv
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

HOURS_IN_WEEK = 168
STUDY_PEAK_REQUESTS_PER_HOUR = 44_466


class Rate(Protocol):
    """What every rate answers."""

    def at(self, seconds: float) -> float | None:
        """Return requests a second at a second of the test, None when the recording is over."""
        ...


@dataclass(frozen=True)
class ConstantRate:
    """The same rate for ever."""

    requests_per_second: float

    def at(self, seconds: float) -> float:  # noqa: ARG002  a constant does not depend on time
        """Return requests a second."""
        return self.requests_per_second


@dataclass(frozen=True)
class RecordedRate:
    """Points (seconds, requests a second), straight lines between them, over after the last.

    Before the first point its rate holds. Replayed `speed` times as fast, the rates themselves
    unchanged.
    """

    points: Sequence[tuple[float, float]]
    speed: float = 1.0

    def at(self, seconds: float) -> float | None:
        """Return requests a second, None after the last point."""
        time = seconds * self.speed
        after = bisect.bisect_right(self.points, (time, math.inf))
        if after == len(self.points):
            return None
        if after == 0:
            return self.points[0][1]
        (start, low), (end, high) = self.points[after - 1], self.points[after]
        return low + (high - low) * (time - start) / (end - start)


@dataclass(frozen=True)
class HourlyRate:
    """Requests in each hour, spread evenly over it, over after the last; `speed` times as fast."""

    requests_per_hour: Sequence[float]
    speed: float = 1.0

    def at(self, seconds: float) -> float | None:
        """Return requests a second, None after the last hour."""
        hour = int(seconds * self.speed // 3600)
        if hour >= len(self.requests_per_hour):
            return None
        return self.requests_per_hour[hour] / 3600


def read_points(path: Path) -> list[tuple[float, float]]:
    """Read `time,rps` rows: seconds in ascending order, requests a second.

    A heading may stand first. Raises ValueError with the row that can't be used.
    """
    points = _read_rows(path, "time,rps")
    for row, ((before, _), (time, _)) in enumerate(itertools.pairwise(points), 2):
        if time <= before:
            raise ValueError(
                f"{path}: row {row} has time {time:g} after {before:g}; times must ascend"
            )
    return points


def read_hours(path: Path) -> list[float]:
    """Read `hour,requests` rows, hours counted from 0 without a gap; a heading may stand first.

    Raises ValueError with the row that can't be used.
    """
    rows = _read_rows(path, "hour,requests")
    for number, (hour, _) in enumerate(rows):
        if hour != number:
            raise ValueError(
                f"{path}: row {number + 1} is hour {hour:g}; the hours must be numbered "
                f"from 0 without gaps"
            )
    return [requests for _, requests in rows]


def sample_week(peak: float = STUDY_PEAK_REQUESTS_PER_HOUR) -> list[float]:
    """Return the requests of each of 168 hours from Monday 00:00, when no recording is at hand.

    A made curve, not the study's: a daily wave with its peak at noon on Wednesday equal to the
    study's published peak hour, a quarter of it at night and quieter Saturdays and Sundays.
    """
    return [
        peak * _weekday_share(hour // 24) * (0.625 - 0.375 * math.cos(math.tau * (hour % 24) / 24))
        for hour in range(HOURS_IN_WEEK)
    ]


def _weekday_share(day: int) -> float:
    return (0.9, 0.95, 1.0, 0.95, 0.9, 0.6, 0.5)[day]


def _read_rows(path: Path, columns: str) -> list[tuple[float, float]]:
    try:
        text = path.read_text()
        rows = list(_parse_rows(path, csv.reader(text.splitlines()), columns))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} can't be read ({error}); give a CSV file of {columns}") from error
    if not rows:
        raise ValueError(f"{path} has no rows; give a CSV file of {columns}")
    return rows


def _parse_rows(
    path: Path, rows: Iterable[list[str]], columns: str
) -> Iterable[tuple[float, float]]:
    for number, row in enumerate(rows, 1):
        if not row or (number == 1 and ",".join(row).replace(" ", "") == columns):
            continue
        try:
            key, value = (float(cell) for cell in row)
        except ValueError:
            raise ValueError(
                f"{path}: line {number} is {','.join(row)!r}; it must have the columns "
                f"{columns}, all of them numbers"
            ) from None
        if not (math.isfinite(key) and math.isfinite(value)) or min(key, value) < 0:
            raise ValueError(
                f"{path}: line {number} is {','.join(row)!r}; all numbers must be finite "
                f"and 0 or more"
            )
        yield key, value
