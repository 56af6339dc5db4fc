"""Tells Grafana of a run that has ended: one annotation from its start to its end.

It is configured by environment variables, so that the token is never on a command line:

    LOADGEN_GRAFANA_URL     https://monitor1.example.com:3000
    LOADGEN_GRAFANA_TOKEN   a service account's token that may write annotations

Without them nothing is sent; the dashboards mark starts, ends and lost workers from metrics. A
private CA is trusted through SSL_CERT_FILE.
"""

import json
import urllib.parse
import urllib.request
from collections.abc import Mapping
from datetime import datetime
from http.client import HTTPException

from loadgen.results.summary import Summary
from loadgen.shared.errors import UsageError
from loadgen.shared.loopback import open_url

URL = "LOADGEN_GRAFANA_URL"
TOKEN = "LOADGEN_GRAFANA_TOKEN"  # noqa: S105
TAG = "loadgen"
TIMEOUT_SECONDS = 5.0


def check(environment: Mapping[str, str]) -> None:
    """Raise UsageError when Grafana is configured by half, or wrongly; call it before a run."""
    url, token = environment.get(URL, ""), environment.get(TOKEN, "")
    if bool(url) != bool(token):
        given, missing = (URL, TOKEN) if url else (TOKEN, URL)
        raise UsageError(
            f"{given} is set and {missing} is not: set both in the environment, or neither"
        )
    if url and urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(
            f"{URL} is {url}, which is not a URL: give one such as https://grafana.example"
        )


def content(summary: Summary) -> dict[str, object]:
    """Return the annotation: times in milliseconds, verdict and run in text and tags."""
    lines = [f"{summary.verdict.upper()} {summary.run_id}", *summary.reasons]
    annotation: dict[str, object] = {
        "text": "\n".join(lines),
        "tags": [TAG, f"verdict:{summary.verdict}", f"run:{summary.run_id}"],
    }
    for key, moment in (("time", summary.started_at), ("timeEnd", summary.ended_at)):
        if moment is not None:
            annotation[key] = _milliseconds(moment)
    return annotation


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def post(summary: Summary, environment: Mapping[str, str]) -> str | None:
    """Send the annotation where Grafana is configured; return a sentence when that failed."""
    url = environment.get(URL)
    if not url:
        return None
    request = urllib.request.Request(  # noqa: S310
        f"{url.rstrip('/')}/api/annotations",
        data=json.dumps(content(summary)).encode(),
        headers={"Content-Type": "application/json"},
    )
    # The token is not sent along with a redirect, which may lead to another host.
    request.add_unredirected_header("Authorization", f"Bearer {environment.get(TOKEN, '')}")
    try:
        open_url(request, TIMEOUT_SECONDS).close()
    except (OSError, HTTPException) as error:
        return f"Grafana at {url} did not accept the run's annotation: {error}"
    return None
