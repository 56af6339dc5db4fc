"""The extended log format of W3C, as IIS and CloudFront write it (https://www.w3.org/TR/WD-logfile).

A line `#Fields:` says what the fields of the lines after it are; their times are UTC.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from loadgen.access_logs.lines import Hit, path_asked

_FIELDS = "#Fields:"
_AGENTS = ("cs(User-Agent)", "cs-user-agent")


class W3C:
    """Reads lines; it remembers what the last line `#Fields:` said."""

    def __init__(self) -> None:
        self._names: list[str] = []

    def __call__(self, line: str) -> Hit | None:
        """Return a line's hit, None for a line that is none, or whose fields aren't known."""
        if line.startswith("#"):
            if line.startswith(_FIELDS):
                self._names = line.removeprefix(_FIELDS).split()
            return None
        values = line.rstrip("\r\n").split("\t") if "\t" in line else line.split()
        if not self._names or len(values) != len(self._names):
            return None
        return _hit(dict(zip(self._names, values, strict=True)))


def _hit(given: Mapping[str, str]) -> Hit | None:
    try:
        moment = datetime.fromisoformat(f"{given['date']} {given['time']}").replace(tzinfo=UTC)
        query = given.get("cs-uri-query", "-")
        path = given["cs-uri-stem"] + ("" if query in ("-", "") else f"?{query}")
        agent = next((given[name] for name in _AGENTS if name in given), "")
        client = f"{given.get('c-ip', '')} {agent}"
        status = int(given["sc-status"])
    except (KeyError, ValueError):
        return None
    method = given.get("cs-method", "")
    if re.fullmatch(r"[A-Z-]{2,20}", method) is None:
        return None
    return Hit(moment.timestamp(), client, method, path_asked(path), status)
