"""Tells people of a run that has ended: a webhook, and GitHub's summary of a job's step.

It is configured by environment variables, so that a secret address is never on a command line:

    LOADGEN_WEBHOOK_URL     gets a POST with JSON: `text` for chat (Slack, Mattermost, Rocket.Chat),
                            and `run` with figures and the results' directory for programs
    LOADGEN_WEBHOOK_FORM    `slack`: `text` alone; `json`: the fields of `run` alone
    GITHUB_STEP_SUMMARY     a file that GitHub Actions sets; the verdict is appended as Markdown

Neither ever changes a run's verdict or its exit code.
"""

import html
import json
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path

from loadgen.results.summary import Summary
from loadgen.shared.errors import UsageError
from loadgen.shared.loopback import open_url
from loadgen.shared.text import format_seconds, plain_line

WEBHOOK, STEP_SUMMARY = "LOADGEN_WEBHOOK_URL", "GITHUB_STEP_SUMMARY"
FORM, FORMS = "LOADGEN_WEBHOOK_FORM", ("", "slack", "json")
TIMEOUT_SECONDS = 5.0
_MARKDOWN = str.maketrans({char: f"\\{char}" for char in "\\`*_[]<>|#"})


def check(environment: Mapping[str, str]) -> None:
    """Raise UsageError when the webhook can't be used as it is set; call it before a run."""
    url = environment.get(WEBHOOK, "")
    if url and urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise UsageError(
            f"{WEBHOOK} is not a URL: set it to one such as https://chat.example/hooks/…, "
            f"or unset it"
        )
    form = environment.get(FORM, "")
    if form not in FORMS:
        raise UsageError(
            f"{FORM} is {form!r}: set it to slack or to json, or unset it to send both forms"
        )


def notify(summary: Summary, environment: Mapping[str, str], directory: Path) -> list[str]:
    """Notify every configured receiver; return a sentence for each one that could not be reached.

    `directory` holds the run's results.
    """
    faults = []
    if url := environment.get(WEBHOOK):
        faults.append(_post(url, _body(summary, directory, environment.get(FORM, ""))))
    if file := environment.get(STEP_SUMMARY):
        faults.append(_append(Path(file), summary))
    return [fault for fault in faults if fault]


def text_of(summary: Summary) -> str:
    """Return the run in a few lines of plain text."""
    return "\n".join(
        [
            f"{summary.verdict.upper()} {summary.run_id}: {_figures(summary)}",
            *(plain_line(reason) for reason in summary.reasons),
            *(plain_line(slo.sentence) for slo in summary.slos if not slo.held),
        ]
    )


def _figures(summary: Summary) -> str:
    times = summary.response_time_seconds
    return (
        f"{summary.requests:,} requests, {summary.failures:,} failed, "
        f"{summary.throughput_per_second:,.1f}/s, p95 {format_seconds(times.p95)}"
    )


def markdown_of(summary: Summary) -> str:
    """Return the run as Markdown; what came from outside is escaped."""
    lines = [f"### Load test {summary.verdict}: `{summary.run_id}`", "", _figures(summary), ""]
    lines += [f"- {_escaped(reason)}" for reason in summary.reasons]
    if summary.slos:
        lines += ["", "| SLO | state |", "|---|---|"]
    states = {True: "held", False: "**did not hold**", None: "no data"}
    lines += [f"| {_escaped(slo.sentence)} | {states[slo.held]} |" for slo in summary.slos]
    return "\n".join(lines) + "\n\n"


def _escaped(text: str) -> str:
    return plain_line(text).translate(_MARKDOWN)


def _body(summary: Summary, directory: Path, form: str) -> Mapping[str, object]:
    fields = {"run_id", "verdict", "reasons", "requests", "failures", "throughput_per_second"}
    run = summary.model_dump(mode="json", include=fields | {"response_time_seconds", "slos"})
    run["results"] = str(directory)
    if form == "json":
        return run
    # Slack reads <!channel> and the like as commands, and these three characters as what they are.
    words = {"text": html.escape(text_of(summary), quote=False)}
    return words if form == "slack" else {**words, "run": run}


def _post(url: str, body: Mapping[str, object]) -> str:
    request = urllib.request.Request(  # noqa: S310  checked before the run
        url,
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        open_url(request, TIMEOUT_SECONDS).close()
    except (OSError, HTTPException, ValueError) as error:
        # The address itself is a secret.
        place = urllib.parse.urlsplit(url).hostname
        return f"the webhook at {place} did not accept the run's verdict: {type(error).__name__}"
    return ""


def _append(file: Path, summary: Summary) -> str:
    try:
        with file.open("a") as page:
            page.write(markdown_of(summary))
    except OSError as error:
        return f"{STEP_SUMMARY} {file} could not be written: {error.strerror}"
    return ""
