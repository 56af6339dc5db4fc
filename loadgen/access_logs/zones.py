"""Times of logs that don't say their zone: read as a given zone's, changes of summer time too."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

from loadgen.shared.errors import UsageError

_OFFSET = re.compile(r"(?P<sign>[+-])(?P<hours>\d\d):?(?P<minutes>[0-5]\d)")
BACKWARDS_SECONDS = 300.0
"""A log is in order but for requests that took long; what goes back further is the hour again."""


def zone_of(name: str) -> tzinfo:
    """Return the zone that `--time-zone` names. UsageError when there is none of that name."""
    offset = _OFFSET.fullmatch(name)
    if offset and int(offset["hours"]) < 24:
        east = timedelta(hours=int(offset["hours"]), minutes=int(offset["minutes"]))
        return timezone(-east if offset["sign"] == "-" else east)
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError) as fault:
        raise UsageError(
            f"--time-zone {name} is not a time zone: give the name of one, such as Europe/Berlin"
            " (timedatectl list-timezones lists them), or an offset, such as --time-zone=+02:00"
        ) from fault


class LocalClock:
    """Turns times that were read as UTC into those of a zone, in the order of a file's lines.

    The hour that comes twice when summer time ends is the first one until the times go back.
    """

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self._last = float("-inf")

    def moment(self, as_utc: float) -> float:
        """Return the Unix time of a line."""
        wall = datetime.fromtimestamp(as_utc, UTC).replace(tzinfo=self._zone)
        time = wall.timestamp()
        if time < self._last - BACKWARDS_SECONDS:
            # Outside of that hour both are the same; in the hour that is left out they are swapped.
            time = max(time, wall.replace(fold=1).timestamp())
        self._last = max(self._last, time)
        return time
