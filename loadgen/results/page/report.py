"""Builds `report.html`: one file that opens offline, prints, and says first whether to believe it.

The markup is in `templates/report.html.jinja2`, which escapes everything that came from outside
(names, errors, specification); the charts are drawn by the page's own script from `report_charts`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue, ValidationError

from loadgen.results.page.rendering import render
from loadgen.results.page.report_charts import by_name, charts
from loadgen.results.statistics_file import Record
from loadgen.results.summary import Summary
from loadgen.shared.histograms import mean, merge, percentile, ratio
from loadgen.shared.snapshot import EntryStatistics, requests_among
from loadgen.shared.text import format_ms, format_seconds
from loadgen.specification.slo import Slo

ERRORS_MAX = 200
VERDICTS = {
    "passed": "The measurement is valid and every SLO held.",
    "failed": "The measurement is valid and an SLO did not hold.",
    "invalid": "The measurement cannot be trusted; read the numbers below with that in mind.",
    "error": "A machine or a process failed; what was measured until then is below.",
    "interrupted": "Stopped by the user; what was measured until then is below.",
}
STATES = {True: ("held", "held"), False: ("failed", "did not hold"), None: ("unknown", "no data")}
HEADINGS = (
    *("Requests", "Failures", "Failure ratio"),
    *("Average ms", "p50 ms", "p95 ms", "p99 ms", "Maximum ms"),
)


@dataclass(frozen=True)
class _Row:
    label: str
    cells: tuple[str, ...]


def build_report(summary: Summary, record: Record) -> str:
    """Return the whole page."""
    errors = sorted(record.errors, key=lambda error: -error.occurrences)
    drawn = charts(record)
    start = record.points[0].time - record.points[0].seconds if record.points else 0.0
    end = record.points[-1].time - start if record.points else 0.0
    names = by_name(record.names, start)
    return render(
        "report.html.jinja2",
        "report.js",
        {
            "summary": summary,
            "times": _times(summary),
            "verdict": _verdict(summary),
            "places": _places(summary),
            "after": _after(summary),
            "figures": _figures(summary, record.entries),
            "states": STATES,
            "charts": drawn,
            "names": names,
            "headings": HEADINGS,
            "rows": _rows(record.entries),
            "errors": errors[:ERRORS_MAX],
            "traces": record.traces,
            "errors_left_out": len(errors) - ERRORS_MAX,
            "specification": _specification(summary),
            "facts": _facts(summary),
            "data": {"charts": drawn, "names": names, "end": round(end, 3)},
        },
    )


def _verdict(summary: Summary) -> str:
    if summary.verdict == "passed" and not summary.slos:
        return "The measurement is valid; no SLO was set."
    return VERDICTS[summary.verdict]


def _times(summary: Summary) -> str:
    moments = [moment for moment in (summary.started_at, summary.ended_at) if moment]
    times = " to ".join(f"{moment:%Y-%m-%d %H:%M:%S}" for moment in moments)
    return f"{times} UTC" if times else ""


def _places(summary: Summary) -> list[str]:
    """Say what was loaded, and from where."""
    target = summary.specification.get("host")
    target = target or "the bundled target, or the User classes' own hosts"
    users, scenario = (summary.specification.get(name) for name in ("users", "locustfile"))
    asked = f"{users} users of {scenario} on {target}" if users else f"Target: {target}"
    return [asked, *(machine.sentence for machine in summary.machines[:4])]


def _after(summary: Summary) -> str:
    after = summary.after_stop
    if not after.requests:
        return ""
    return (
        f"While users finished, {after.requests:,} more requests were answered "
        f"({after.failures:,} failed, the slowest in {format_seconds(after.maximum_seconds)}); "
        "they are in none of these numbers."
    )


def _figures(summary: Summary, entries: Sequence[EntryStatistics]) -> dict[str, str]:
    times, workers = summary.response_time_seconds, summary.workers
    lost = f", {workers.lost} lost" if workers.lost else ""
    transactions = {
        f"{entry.method.capitalize()}s": f"{entry.requests:,}"
        for entry in entries
        if entry.is_transaction and requests_among(entries) != list(entries)
    }
    return {
        "Requests": f"{summary.requests:,}",
        "Failures": f"{summary.failures:,} ({_ratio(summary.failures, summary.requests)})",
        "Throughput": f"{summary.throughput_per_second:,.4g}/s",
        "p50": format_seconds(times.p50),
        "p95": format_seconds(times.p95),
        "p99": format_seconds(times.p99),
        "Maximum": format_seconds(times.max),
        **transactions,
        "Workers": f"{workers.seen} of {workers.expected}{lost}",
    }


def _specification(summary: Summary) -> list[tuple[str, str]]:
    """Return the fields that say something, in words."""
    rows = [
        (name.replace("_", " "), _words(name, value))
        for name, value in summary.specification.items()
        if value not in (None, [], {}, "", False)
    ]
    return [(name, words) for name, words in rows if words]


DURATIONS = ("run_time", "warm_up", "stop_timeout", "rest")


def _words(name: str, value: JsonValue) -> str:
    if name in DURATIONS and isinstance(value, int | float):
        return _duration(value)
    if name == "slos" and isinstance(value, list):
        return "; ".join(map(_slo, value))
    if isinstance(value, list):
        return ", ".join(str(one) for one in value)
    if isinstance(value, dict):
        pairs = (f"{key}: {_words('', one)}" for key, one in value.items())
        return "; ".join(pairs)
    if isinstance(value, bool):
        return "yes"
    return f"{value:,g}" if isinstance(value, int | float) else str(value)


def _slo(fields: JsonValue) -> str:
    try:
        return Slo.model_validate(fields).text()
    except ValidationError:
        return str(fields)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "min"), (rest, "s")]
    return " ".join(f"{amount:g} {unit}" for amount, unit in parts if amount) or "0 s"


def _facts(summary: Summary) -> list[tuple[str, str]]:
    origin = summary.origin
    commit = origin.commit + (" with changes that are not in it" if origin.modified else "")
    facts = [
        *((machine.name, machine.sentence.partition(": ")[2]) for machine in summary.machines),
        *summary.versions.items(),
        ("commit", commit),
        ("scenario", origin.scenario_sha256),
        ("release", summary.release_sha256),
    ]
    return [(name, value) for name, value in facts if value]


def _rows(entries: Sequence[EntryStatistics]) -> list[_Row]:
    ordered = sorted(entries, key=lambda entry: (entry.name, entry.method))
    rows = [_row(f"{entry.method} {entry.name}", [entry]) for entry in ordered]
    return [*rows, _row("All requests", requests_among(entries))] if rows else []


def _row(label: str, entries: Sequence[EntryStatistics]) -> _Row:
    times = merge(entry.response_times for entry in entries)
    requests = sum(entry.requests for entry in entries)
    failures = sum(entry.failures for entry in entries)
    low = min(
        (e.response_time_min_ms for e in entries if e.response_time_min_ms is not None),
        default=None,
    )
    high = max((e.response_time_max_ms for e in entries), default=None)
    average = mean(sum(e.response_time_total_ms for e in entries), sum(times.values()))
    milliseconds = (average, *(percentile(times, q, low, high) for q in (0.5, 0.95, 0.99, 1)))
    counts = (f"{requests:,}", f"{failures:,}", _ratio(failures, requests))
    return _Row(label, (*counts, *(format_ms(value) for value in milliseconds)))


def _ratio(part: int, whole: int) -> str:
    percent = 100 * ratio(part, whole)
    return f"{percent:.3g} %" if percent == 0 or percent >= 0.01 else "< 0.01 %"
