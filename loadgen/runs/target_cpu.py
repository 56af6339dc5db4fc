"""Asks a Prometheus how busy the target's machines were during a run, for its report.

It is configured by environment variables, so that a login is never on a command line:

    LOADGEN_PROMETHEUS_URL    http://127.0.0.1:9090, say, as `make monitoring` has it; with a login
                              (https://user:password@…), and SSL_CERT_FILE names a private CA

Prometheus knows the target's machines as `--target-scrape` or `prometheus_target_scrapes` names
them. Without the variable nobody is asked; what can't be had is a sentence and changes no verdict.
"""

import base64
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException

from pydantic import BaseModel

from loadgen.results.statistics_file import HostCpu
from loadgen.shared.errors import OperationError, UsageError
from loadgen.shared.loopback import open_url
from loadgen.shared.text import DOCUMENT_VALUES_MAX, require_few_values

URL = "LOADGEN_PROMETHEUS_URL"
TIMEOUT_SECONDS = 10.0
ANSWER_BYTES_MAX = 8 << 20
HOSTS_MAX = 10
POINTS = 300
# irate looks at the last two scrapes, however far they are apart.
QUERY = (
    f"topk({HOSTS_MAX}, clamp(1 - avg by (host) "
    '(irate(node_cpu_seconds_total{role="target",mode="idle"}[5m])), 0, 1))'
)
"""Scrapes are not evenly apart, so a rate of idle seconds may be a little above 1 a second."""


class _Series(BaseModel):
    metric: dict[str, str]
    values: list[tuple[float, float]]


class _Data(BaseModel):
    result: list[_Series]


class _Answer(BaseModel):
    data: _Data


def check(environment: Mapping[str, str]) -> None:
    """Raise UsageError when the variable is no web address; call it before a run."""
    url = environment.get(URL, "")
    if url and urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(
            f"{URL} is not a URL: set it to one such as http://127.0.0.1:9090, or unset it"
        )


def target_cpu(environment: Mapping[str, str], start: float, end: float) -> list[HostCpu]:
    """Return the CPU of the target's machines between two Unix times; none when nobody is asked.

    OperationError: Prometheus did not answer, or something else.
    """
    url = environment.get(URL)
    if not url or end <= start:
        return []
    step = max(1.0, (end - start) / POINTS)
    asked = {"query": QUERY, "start": start, "end": end, "step": step}
    try:
        with open_url(_request(url, asked), TIMEOUT_SECONDS) as answer:
            found = _Answer.model_validate_json(
                require_few_values(answer.read(ANSWER_BYTES_MAX), DOCUMENT_VALUES_MAX)
            )
    except (OSError, HTTPException, ValueError) as error:
        place = urllib.parse.urlsplit(url).hostname
        raise OperationError(
            f"Prometheus at {place} ({URL}) did not return the CPU usage of the target: "
            f"{type(error).__name__}"
        ) from error
    return [HostCpu(one.metric.get("host", "target"), one.values) for one in found.data.result]


def _request(url: str, asked: Mapping[str, object]) -> urllib.request.Request:
    parts = urllib.parse.urlsplit(url)
    where = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().rstrip("/")
    body = urllib.parse.urlencode(asked).encode()
    request = urllib.request.Request(f"{where}/api/v1/query_range", data=body)  # noqa: S310
    if parts.username is not None:
        login = ":".join(map(urllib.parse.unquote, (parts.username, parts.password or "")))
        word = base64.b64encode(login.encode()).decode()
        request.add_header("Authorization", f"Basic {word}")
    return request
