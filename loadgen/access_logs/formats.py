"""Which format a log has; of a file that has none, what it is and how to come by one."""

import re
from collections.abc import Callable, Iterable

from loadgen.access_logs.lines import Hit, Parse, common, haproxy, json_line, unasked
from loadgen.access_logs.proxy_lines import proxy
from loadgen.access_logs.w3c import W3C

EXPECTED = (
    '192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET /path HTTP/1.1" 200 2326, which may have'
    " the further fields of the combined format, of nginx or of Apache; an HTTP line of"
    " HAProxy, Envoy, Squid or a load"
    " balancer of AWS; W3C's extended log format (IIS, CloudFront); or one JSON object on each line"
)


def _common(line: str) -> Hit | None:
    return common(line) or unasked(line)


FORMATS: dict[str, Callable[[], Parse]] = {
    "common": lambda: _common,
    "HAProxy": lambda: haproxy,
    "JSON lines": lambda: json_line,
    "proxies": lambda: proxy,
    "W3C": W3C,
}
"""Each makes the reader of one file: some remember what earlier lines said."""

# What is known by its first line, and what to do with it.
_KINDS = (
    (
        r"\udcff\udcfe|\udcfe\udcff|.\x00.\x00",
        "is UTF-16 text: convert it with iconv -f UTF-16 -t UTF-8",
    ),
    (r"\s*<", "is an HTML or XML file"),
    (r'\s*\{\s*"log":', "looks like a recording (HAR): give it to loadgen record"),
    (r"\s*\[\s*(\{|$)", "is one JSON list: jq -c '.[]' writes each object on a line of its own"),
    (r"\s*\{\s*$", "has JSON objects over several lines: jq -c . writes each object on one line"),
    (
        r"#(Software|Version|Date):",
        "is in W3C's extended log format, but its line #Fields: is missing or lacks fields: date,"
        " time, cs-method, cs-uri-stem and sc-status are needed",
    ),
    (
        r".* haproxy\[\d+\]: ",
        "is a log of HAProxy without requests: set option httplog in HAProxy, which logs them",
    ),
    (
        r"\S+ +[\d.:]+:\d+ - \"[A-Z]+ ",
        "is uvicorn's log, which has no times: add the time to uvicorn's access log format",
    ),
    (
        r"\[\d+/\w+/\d+ [\d:]+\] \"[A-Z]+ ",
        "is the log of Django's development server, which doesn't name the clients: "
        "give the web server's access log",
    ),
    (
        r"Started [A-Z]+ \"",
        "is a log of Rails: give the access log of the web server in front of it",
    ),
    (
        r"(\d+/\d+/\d+ [\d:]+|\[\w+ \w+ +\d+ [\d:.]+ \d+\]) \[",
        "is an error log: give the access log",
    ),
    (r"\w+=\S+ .*\w+=", "is in the logfmt format: configure the server to write JSON"),
    (r"[\w-]+(,[\w-]+)+\s*$", "is a CSV file: convert it to one JSON object for each row"),
    (r".*[\x00-\x08\udc80-\udcff]", "is not text"),
)


def recognise(lines: Iterable[str]) -> Parse | None:
    """Return a reader for one file, which reads most of some lines; None when none reads any."""
    sample = list(lines)
    counts = {}
    for name, made in FORMATS.items():
        parse = made()
        counts[name] = sum(parse(line) is not None for line in sample)
    best = max(counts, key=lambda name: counts[name])
    return FORMATS[best]() if counts[best] else None


def kind_of(line: str) -> str:
    """Return what a first line that is no access log's is, with the next step; "" if unknown."""
    return next((kind for pattern, kind in _KINDS if re.match(pattern, line)), "")
