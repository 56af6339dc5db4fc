"""Builds `report.html`: one file that opens offline, prints, and says first whether to believe it.

The markup is in `templates/report.html.jinja2`, which escapes everything that came from outside
(names, errors, specification); the page allows no script and loads nothing.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from loadgen.results.charts import Series, line_chart
from loadgen.results.pages import asset, render
from loadgen.results.statistics_file import Record
from loadgen.results.summary import Summary
from loadgen.results.timeline import Point, regroup
from loadgen.shared.histograms import mean, merge, percentile, ratio
from loadgen.shared.snapshot import EntryStatistics, requests_among
from loadgen.shared.text import format_ms, format_seconds

WINDOW_SECONDS = 10
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
    return render(
        "report.html.jinja2",
        {
            "summary": summary,
            "style": asset("report.css"),
            "times": _times(summary),
            "verdict": VERDICTS[summary.verdict],
            "figures": _figures(summary),
            "states": STATES,
            "charts": _charts(record.points),
            "headings": HEADINGS,
            "rows": _rows(record.entries),
            "errors": errors[:ERRORS_MAX],
            "errors_left_out": len(errors) - ERRORS_MAX,
            "specification": json.dumps(summary.specification, indent=2, ensure_ascii=False),
            "facts": {**summary.versions, "release": summary.release_sha256},
        },
    )


def _times(summary: Summary) -> str:
    moments = [moment for moment in (summary.started_at, summary.ended_at) if moment]
    times = " to ".join(f"{moment:%Y-%m-%d %H:%M:%S}" for moment in moments)
    return f"{times} UTC" if times else ""


def _figures(summary: Summary) -> dict[str, str]:
    times, workers = summary.response_time_seconds, summary.workers
    lost = f", {workers.lost} lost" if workers.lost else ""
    return {
        "Requests": f"{summary.requests:,}",
        "Failures": f"{summary.failures:,} ({_ratio(summary.failures, summary.requests)})",
        "Throughput": f"{summary.throughput_per_second:,.4g}/s",
        "p50": format_seconds(times.p50),
        "p95": format_seconds(times.p95),
        "p99": format_seconds(times.p99),
        "Maximum": format_seconds(times.max),
        "Workers": f"{workers.seen} of {workers.expected}{lost}",
    }


def _charts(points: Sequence[Point]) -> Markup:
    if not points:
        return Markup()
    start = points[0].time - points[0].seconds
    windows = regroup(points, max(WINDOW_SECONDS, (points[-1].time - start) / 120))
    # Workers report every 3 s: a finer throughput would show the reports, not the load.
    rates = regroup(points, max(3.0, (points[-1].time - start) / 200))

    def series(label: str, values: Iterable[tuple[Point, float | None]]) -> Series:
        return Series(label, [(p.time - start, v) for p, v in values if v is not None])

    throughput = (
        series("requests", ((p, p.requests / p.seconds) for p in rates)),
        series("failures", ((p, p.failures / p.seconds) for p in rates)),
    )
    times = [
        series(f"p{round(q * 100)}", ((p, percentile(p.response_times, q)) for p in windows))
        for q in (0.5, 0.95, 0.99)
    ]
    users = (series("users", ((p, float(p.users)) for p in points)),)
    seconds = f"ms, windows of {max(WINDOW_SECONDS, (points[-1].time - start) / 120):.3g} s"
    drawn = (
        line_chart("Throughput", "per second", throughput)
        + line_chart("Response time", seconds, times)
        + line_chart("Users", "", users)
    )
    return Markup(drawn)  # noqa: S704  drawn by us, its labels are escaped


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
