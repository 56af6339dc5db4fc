"""One line of an access log to a hit: common, combined, nginx, Apache, HAProxy, JSON lines."""

import json
import math
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, NamedTuple

EXPECTED = (
    '192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET /path HTTP/1.1" 200 2326, with or without'
    " what combined logs, nginx and Apache add; an HTTP line of HAProxy; or a JSON object a line"
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        (
            *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
            *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
        ),
        1,
    )
}
_REQUEST = r'"(?P<method>[A-Z]{2,20}) (?P<path>[^ "]+)(?: HTTP/[\d.]+)?"'
# Runs of plain characters at a time: this is where most of the time of reading a log goes.
_QUOTED = r'[^"\\]*(?:\\.[^"\\]*)*'
_COMMON = re.compile(
    # A virtual host may come first; it is followed by an address, where a client is by a dash.
    r"(?:[\w.-]+(?::\d+)? (?=[0-9a-fA-F]*[.:][0-9a-fA-F.:]* ))?"
    r"(?P<client>[0-9a-zA-Z.:%_-]+) \S+ [^\[]*\[(?P<time>[^\]]+)\] "
    + _REQUEST
    + r" (?P<status>\d{3}) (?:\d+|-)"
    + rf'(?: "{_QUOTED}" "(?P<agent>{_QUOTED})")?'
)
_HAPROXY = re.compile(
    r"(?:^|.* )(?P<client>[0-9a-fA-F.:]+):\d+ \[(?P<time>\d+/\w+/\d+:[\d:.]+)\] \S+ \S+ [-\d/+]+"
    r" (?P<status>\d{3}) .*" + _REQUEST
)
_CLOCK = re.compile(r"(\d+)/(\w{3})/(\d{4}):(\d+):(\d+):(\d+)(?:\.\d+)?(?: ([+-])(\d\d)(\d\d))?$")
_JSON_NAMES = {
    "time": (
        *("time", "timestamp", "@timestamp", "ts", "time_iso8601", "time_local", "msec"),
        *("StartUTC", "start_time", "datetime", "date"),
    ),
    "client": (
        *("remote_addr", "client_ip", "clientip", "remote_ip", "remoteIp", "ClientHost", "client"),
        *("ip", "remote_host", "host"),
    ),
    "method": ("method", "request_method", "RequestMethod", "requestMethod", "verb"),
    "path": (
        *("uri", "request_uri", "RequestPath", "requestUrl", "path", "url", "request_path"),
        *("request", "request_line"),
    ),
    "status": ("status", "status_code", "DownstreamStatus", "response", "code", "statusCode"),
    "agent": ("http_user_agent", "user_agent", "userAgent", "agent", "request_User-Agent"),
}
_NESTED = ("request", "httpRequest", "http", "req")


class Hit(NamedTuple):
    """One request: Unix seconds, who asked (address and program), what, and the status."""

    time: float
    client: str
    method: str
    path: str
    status: int


Parse = Callable[[str], Hit | None]


@lru_cache(maxsize=16)
def clock(text: str) -> float | None:
    """Return the Unix seconds of 10/Oct/2026:13:55:36 +0000; None for what is no such time."""
    found = _CLOCK.match(text)
    if found is None or found[2] not in _MONTHS:
        return None
    zone = UTC
    if found[7]:
        east = timedelta(hours=int(found[8]), minutes=int(found[9]))
        zone = timezone(-east if found[7] == "-" else east)
    numbers = (int(found[part]) for part in (1, 4, 5, 6))
    day, hour, minute, second = numbers
    try:
        moment = datetime(
            int(found[3]), _MONTHS[found[2]], day, hour, minute, min(second, 59), tzinfo=zone
        )
    except ValueError:
        return None
    return moment.timestamp()


def common(line: str) -> Hit | None:
    """Read a line of the common or combined form, and of what nginx and Apache make of it."""
    found = _COMMON.match(line)
    return found and _hit(found, found["agent"] or "")


def haproxy(line: str) -> Hit | None:
    """Read a line of HAProxy's HTTP log, with or without what syslog puts before it."""
    found = _HAPROXY.match(line)
    return found and _hit(found, "")


def _hit(found: re.Match[str], agent: str) -> Hit | None:
    time = clock(found["time"])
    if time is None:
        return None
    client = f"{found['client']} {agent}"
    return Hit(time, client, found["method"], found["path"], int(found["status"]))


def json_line(line: str) -> Hit | None:
    """Read a JSON object, of nginx, Caddy, Traefik and others, by the names that fields have."""
    if not line.startswith("{"):
        return None
    try:
        record = json.loads(line)
        fields = _fields(record)
        time = _moment(fields["time"])
        method, path = _asked(fields)
        hit = Hit(
            time,
            f"{fields.get('client', '')} {fields.get('agent', '')}",
            method.upper(),
            path,
            int(fields["status"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    return hit if hit.path.startswith(("/", "*")) and hit.method.isalpha() else None


def _fields(record: dict[str, Any]) -> dict[str, Any]:
    nested = [record[name] for name in _NESTED if isinstance(record.get(name), dict)]
    found = {}
    for field, names in _JSON_NAMES.items():
        for part in (*nested, record):
            name = next(
                (one for one in names if isinstance(part.get(one), str | int | float)), None
            )
            if name is not None:
                found[field] = part[name]
                break
    return found


def _asked(fields: dict[str, Any]) -> tuple[str, str]:
    """Return method and path, from a request line if there is one."""
    path = str(fields["path"])
    if " " in path:
        method, path = path.split(" ")[:2]
        return method, path
    if "://" in path:
        path = "/" + path.partition("://")[2].partition("/")[2]
    return str(fields["method"]), path


def _moment(value: object) -> float:
    """Return Unix seconds of a number (s, ms, µs, ns) or of a text. Raises ValueError."""
    if isinstance(value, str):
        logged = clock(value)
        if logged is not None:
            return logged
        if not value.replace(".", "", 1).isdigit():
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    seconds = float(str(value))
    while 1e11 < seconds < math.inf:
        seconds /= 1000
    if not 0 < seconds < math.inf:
        raise ValueError(f"{value!r} is no time")
    return seconds


FORMATS: dict[str, Parse] = {"common": common, "HAProxy": haproxy, "JSON lines": json_line}


def recognise(lines: Iterable[str]) -> Parse | None:
    """Return the reader that reads most of some lines; None when none reads any."""
    sample = list(lines)
    counts = {
        name: sum(parse(line) is not None for line in sample) for name, parse in FORMATS.items()
    }
    best = max(counts, key=lambda name: counts[name])
    return FORMATS[best] if counts[best] else None
