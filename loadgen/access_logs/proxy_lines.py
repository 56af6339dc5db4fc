"""One line of a proxy's or a store's own form to a hit: AWS load balancers, S3, Envoy, Squid."""

import re
from datetime import UTC, datetime

from loadgen.access_logs.lines import ADDRESS, QUOTED, REQUEST, Hit, clock, path_asked

_ELB = re.compile(
    rf"(?:\w+ )?(?P<time>\d{{4}}-\d\d-\d\dT[\d:.]+Z) \S+ (?P<client>{ADDRESS}):\d+ \S+"
    rf" [-\d.]+ [-\d.]+ [-\d.]+ (?P<status>\d{{3}}) \S+ -?\d+ -?\d+ {REQUEST}"
    rf'(?: "(?P<agent>{QUOTED})")?'
)
_S3 = re.compile(
    rf"\S+ \S+ \[(?P<time>[^\]]{{1,60}})\] (?P<client>\S+) \S+ \S+ [A-Z]+\.\S+ \S+ {REQUEST}"
    rf' (?P<status>\d{{3}}) \S+ \S+ \S+ \S+ \S+ "{QUOTED}" "(?P<agent>{QUOTED})"'
)
# Istio has two fields more, between status and figures.
_ENVOY = re.compile(
    rf"\[(?P<time>\d{{4}}-\d\d-\d\dT[\d:.]+Z)\] {REQUEST} (?P<status>\d{{3}}) [^\"]*"
    rf'(?:"{QUOTED}" [-\d ]+)?"(?P<client>{QUOTED})" "(?P<agent>{QUOTED})"'
)
_SQUID = re.compile(
    r"(?P<time>\d{9,11}\.\d{3}) +\d+ (?P<client>\S+) [A-Z_]+/(?P<status>\d{3}) \d+"
    r" (?P<method>[A-Z]+) (?P<path>\S+) \S+ \S+(?P<agent>)"
)
_FORMS = (_ELB, _S3, _ENVOY, _SQUID)


def proxy(line: str) -> Hit | None:
    """Read a line of ELB, ALB, S3, Envoy, Istio or Squid."""
    found = next((one for one in (form.match(line) for form in _FORMS) if one), None)
    if found is None:
        return None
    time = _moment(found["time"])
    if time is None:
        return None
    client = f"{found['client']} {found['agent'] or ''}"
    return Hit(time, client, found["method"], path_asked(found["path"]), int(found["status"]))


def _moment(text: str) -> float | None:
    if "/" in text:
        return clock(text)
    try:
        if "T" not in text:
            return float(text)
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
