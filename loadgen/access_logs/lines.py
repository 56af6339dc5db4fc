"""One line of an access log to a hit: common, combined, nginx, Apache, HAProxy, JSON lines."""

import json
import math
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote

FIRST_YEAR, LAST_YEAR = 1990, 2100
"""A time outside of these is a fault of the log."""
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
# Runs of plain characters at a time: this is where most of the time of reading a log goes.
QUOTED = r'[^"\\]*(?:\\.[^"\\]*)*'
REQUEST = rf'"(?P<method>[A-Z]{{2,20}}) (?P<path>[^" \\]{QUOTED})"'
ADDRESS = r"\[?(?=[0-9a-fA-F]{0,4}[.:])[0-9a-fA-F:.]{2,45}(?:%\w{1,20})?\]?"
_PROXIES = rf"(?:, ?{ADDRESS})*"
_FROM_TIME = (
    r"\[(?P<time>[^\]]{1,60})\] (?:[^\" ]+ ){0,2}"
    + REQUEST
    + rf' (?P<status>\d{{3}}) (?:\d+|-)(?: "{QUOTED}" "(?P<agent>{QUOTED})")?'
)
_COMMON = re.compile(
    # A virtual host may come first; it is followed by an address, where a client is by a dash.
    rf"\s*(?:[\w.-]+(?::\d+)? (?={ADDRESS} ))?"
    # A name of a user has no colon; what a shipper of logs writes before a line has one.
    rf"(?P<client>{ADDRESS}|unix:|[\w.-]+){_PROXIES} [\w.@-]+ [^\[:]*" + _FROM_TIME
)
# After what syslog, containers and shippers of logs put before a line.
_PREFIXED = re.compile(
    rf"(?:[\s|>:\]])(?P<client>{ADDRESS}){_PROXIES} [\w.@-]+ [^\[:]{{0,100}}" + _FROM_TIME
)
_UNASKED = re.compile(
    rf"(?:\S+ )?(?P<client>{ADDRESS}|[\w.-]+) \S+ [^\[]{{1,100}}\[(?P<time>[^\]]{{1,60}})\]"
    rf' "{QUOTED}" (?P<status>\d{{3}}) '
)
NO_METHOD = "-"
"""Method and path of a request that was none: a port scan, or a connection without a word."""
_HAPROXY = re.compile(
    r"(?:^|.* )(?P<client>[0-9a-fA-F.:]+):\d+ \[(?P<time>\d+/\w+/\d+:[\d:.]+)\] \S+ \S+ [-\d/+]+"
    r" (?P<status>\d{3}) .*" + REQUEST
)
# Half of a surrogate pair is how Python holds a byte that is no UTF-8.
_NOT_SENT = re.compile(r"[\x00-\x20\x7f\ud800-\udfff]")
_ASCII = "".join(map(chr, range(0x21, 0x7F)))
_ESCAPED = re.compile(r'\\(?:x([0-9a-fA-F]{2})|(["\\]))')
_CLOCK = re.compile(r"(\d+)/(\w{3})/(\d{4}):(\d+):(\d+):(\d+)(?:\.\d+)?(?: ([+-])(\d\d)(\d\d))?$")
_JSON_NAMES = {
    "time": (
        *("time", "timestamp", "@timestamp", "ts", "time_iso8601", "time_local", "msec"),
        *("StartUTC", "start_time", "datetime", "date", "requestTime", "EdgeStartTimestamp"),
    ),
    "client": (
        *("remote_addr", "client_ip", "clientip", "remote_ip", "remoteIp", "ClientHost", "client"),
        *("client.ip", "source.ip", "remoteIP", "remoteAddress", "remote_address", "clientIp"),
        *("downstream_remote_address", "ClientIP", "clientIP", "ip", "remote_host", "host"),
    ),
    "method": (
        *("method", "request_method", "RequestMethod", "requestMethod", "verb", "httpMethod"),
        "ClientRequestMethod",
    ),
    "path": (
        *("uri", "request_uri", "RequestPath", "requestUrl", "path", "url", "request_path"),
        *("url.original", "url.path", "request", "request_line", "requestUri"),
        "ClientRequestURI",
    ),
    "query": ("args", "query", "query_string", "queryString", "url.query"),
    "status": (
        *("status", "status_code", "DownstreamStatus", "response", "code", "statusCode"),
        *("response_code", "response.status_code", "res.statusCode", "response.status"),
        *("httpStatusCode", "httpStatus", "EdgeResponseStatus"),
    ),
    "agent": (
        *("http_user_agent", "user_agent", "userAgent", "agent", "request_User-Agent"),
        *("user_agent.original", "headers.User-Agent", "headers.user-agent"),
        "ClientRequestUserAgent",
    ),
}
_NESTED = ("request.", "httpRequest.", "http.request.", "http.", "req.", "", "properties.")
DEEPEST = 4


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
    return moment.timestamp() if FIRST_YEAR <= moment.year <= LAST_YEAR else None


def common(line: str) -> Hit | None:
    """Read a line of the common or combined form, and of what nginx and Apache make of it."""
    found = _COMMON.match(line) or _PREFIXED.search(line)
    return found and _hit(found, found["agent"] or "")


def unasked(line: str) -> Hit | None:
    """Read a line of the common form whose request was none: `-`, or what is no HTTP."""
    found = _UNASKED.match(line)
    time = found and clock(found["time"])
    if found is None or time is None:
        return None
    return Hit(time, found["client"], NO_METHOD, NO_METHOD, int(found["status"]))


def haproxy(line: str) -> Hit | None:
    """Read a line of HAProxy's HTTP log, with or without what syslog puts before it."""
    found = _HAPROXY.match(line)
    return found and _hit(found, "")


def _hit(found: re.Match[str], agent: str) -> Hit | None:
    time = clock(found["time"])
    if time is None:
        return None
    client = f"{found['client']} {agent}"
    return Hit(time, client, found["method"], path_asked(found["path"]), int(found["status"]))


def path_asked(asked: str) -> str:
    """Return the path of what follows the method, as it can be sent again.

    Bytes that are no UTF-8 text, and control characters, become what URLs have for them.
    """
    path, _, protocol = asked.rpartition(" ")
    if not path or not protocol.startswith("HTTP/"):
        path = asked
    if "\\" in path:
        path = _ESCAPED.sub(lambda one: f"%{one[1] or format(ord(one[2]), 'X')}", path)
    if " " in path:
        path = path.replace(" ", "%20")
    if _NOT_SENT.search(path):
        path = quote(path, safe=_ASCII, errors="surrogateescape")
    return path if path.startswith("/") else _without_host(path)


def _without_host(path: str) -> str:
    """Return the path of a whole address, as proxies and HTTP/2 log it."""
    _, scheme, rest = path.partition("://")
    return f"/{rest.partition('/')[2]}" if scheme else path


def json_line(line: str, depth: int = 1) -> Hit | None:
    """Read a JSON object, of nginx, Caddy, Traefik and others, by the names that fields have.

    `depth` is how many objects may be around it, each with the line in its field log.
    """
    before, brace, rest = line.partition("{")
    if not brace:
        return None
    try:
        record = json.loads(brace + rest)
        if isinstance(record.get("log"), str):
            # In a container's log file the line is a field of a JSON object.
            return common(record["log"]) or (json_line(record["log"], depth - 1) if depth else None)
        fields = _fields(record)
        # Caddy's console has the time before the object.
        time = _moment(fields["time"] if "time" in fields else before.partition("\t")[0])
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
    flat = dict(_flat(record))
    found = {}
    for field, names in _JSON_NAMES.items():
        keys = (f"{nested}{name}" for nested in _NESTED for name in names)
        key = next((one for one in keys if one in flat), None)
        if key is not None:
            found[field] = flat[key]
    return found


def _flat(record: dict[str, Any], above: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield the values of an object and of those in it, by names joined with dots."""
    for name, value in record.items():
        one = value[0] if isinstance(value, list) and value else value
        if isinstance(one, dict) and depth < DEEPEST:
            yield from _flat(one, f"{above}{name}.", depth + 1)
        elif isinstance(one, str | int | float):
            yield f"{above}{name}", one


def _asked(fields: dict[str, Any]) -> tuple[str, str]:
    """Return method and path, from a request line if there is one."""
    path = str(fields["path"])
    method, blank, rest = path.partition(" ")
    if blank and method.isupper():
        return method, path_asked(rest)
    query = str(fields.get("query", "")).removeprefix("?")
    if query not in ("", "-") and "?" not in path:
        path = f"{path}?{query}"
    return str(fields["method"]), path_asked(path)


def _moment(value: object) -> float:
    """Return Unix seconds of a number (s, ms, µs, ns) or of a text. Raises ValueError."""
    if isinstance(value, str):
        value = value.strip().strip("[]")
        logged = clock(value)
        if logged is not None:
            return logged
        if value[4:5] == "/":
            value = value.replace("/", "-")
        if not value.replace(".", "", 1).isdigit():
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    seconds = float(str(value))
    while 1e11 < seconds < math.inf:
        seconds /= 1000
    if not 0 < seconds < math.inf:
        raise ValueError(f"{value!r} is no time")
    return seconds
