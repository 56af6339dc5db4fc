"""Builds `report.html`: one file that opens offline, prints, and says first whether to believe it.

Everything that came from outside (names, errors, specification) is escaped; the page allows no
script and loads nothing.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files

from loadgen.results.charts import Series, line_chart
from loadgen.results.summary import Summary
from loadgen.results.timeline import Point, regroup
from loadgen.shared.histograms import mean, merge, percentile, ratio
from loadgen.shared.snapshot import EntryStatistics, ErrorCount
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


@dataclass(frozen=True)
class ReportData:
    """What a report shows: the summary, the run over time, statistics by name, errors.

    `figures` are further pictures: (caption, inline SVG markup of our own making).
    """

    summary: Summary
    points: Sequence[Point] = ()
    entries: Sequence[EntryStatistics] = ()
    errors: Sequence[ErrorCount] = ()
    figures: Sequence[tuple[str, str]] = field(default=())


def build_report(data: ReportData) -> str:
    """Return the whole page."""
    summary = data.summary
    style = files(__package__).joinpath("report.css").read_text()
    sections = (
        _validity(summary),
        _figures(summary),
        _slos(summary),
        _charts(data.points),
        _entries(data.entries),
        _errors(data.errors),
        _pictures(data.figures),
        _facts(summary),
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src'
        " 'unsafe-inline'; img-src data:\">"
        f"<title>{escape(summary.run_id)}: {summary.verdict}</title><style>{style}</style></head>\n"
        f"<body>{''.join(sections)}</body></html>\n"
    )


def _validity(summary: Summary) -> str:
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in summary.reasons)
    times = " to ".join(
        f"{moment:%Y-%m-%d %H:%M:%S}" for moment in (summary.started_at, summary.ended_at) if moment
    )
    return (
        f'<header><h1>{escape(summary.run_id)}</h1><p class="soft">{times}{" UTC" * bool(times)}'
        f'</p><p><span class="verdict {summary.verdict}">{summary.verdict.capitalize()}.</span> '
        f"{VERDICTS[summary.verdict]}</p>{f'<ul>{reasons}</ul>' if reasons else ''}</header>"
    )


def _figures(summary: Summary) -> str:
    times = summary.response_time_seconds
    workers = summary.workers
    figures = {
        "Requests": f"{summary.requests:,}",
        "Failures": f"{summary.failures:,} ({_ratio(summary.failures, summary.requests)})",
        "Throughput": f"{summary.throughput_per_second:,.4g}/s",
        "p50": format_seconds(times.p50),
        "p95": format_seconds(times.p95),
        "p99": format_seconds(times.p99),
        "Maximum": format_seconds(times.max),
        "Workers": f"{workers.seen} of {workers.expected}"
        + (f", {workers.lost} lost" if workers.lost else ""),
    }
    items = "".join(
        f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in figures.items()
    )
    return f'<dl class="figures">{items}</dl>'


def _slos(summary: Summary) -> str:
    if not summary.slos:
        return "<h2>SLOs</h2><p>None were set, so nothing but validity was judged.</p>"
    words = {
        True: ("held", "held"),
        False: ("failed", "did not hold"),
        None: ("unknown", "no data"),
    }
    rows = "".join(
        f'<tr><td class="text {words[slo.held][0]}">{words[slo.held][1]}</td>'
        f'<td class="text long">{escape(slo.sentence)}</td></tr>'
        for slo in summary.slos
    )
    head = '<tr><th>State</th><th class="text">Measured, and what is required</th></tr>'
    return f'<h2>SLOs</h2><div class="scroll"><table>{head}{rows}</table></div>'


def _charts(points: Sequence[Point]) -> str:
    if not points:
        return ""
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
    return (
        '<h2>Over time</h2><div class="charts">'
        + line_chart("Throughput", "per second", throughput)
        + line_chart("Response time", seconds, times)
        + line_chart("Users", "", users)
        + "</div>"
    )


def _entries(entries: Sequence[EntryStatistics]) -> str:
    if not entries:
        return "<h2>Requests by name</h2><p>No request was made.</p>"
    headings = ("Requests", "Failures", "Failure ratio", "Average ms", "p50 ms", "p95 ms")
    head = "".join(f"<th>{heading}</th>" for heading in (*headings, "p99 ms", "Maximum ms"))
    ordered = sorted(entries, key=lambda entry: (entry.name, entry.method))
    rows = "".join(f"<tr>{_entry(f'{e.method} {e.name}', [e])}</tr>" for e in ordered)
    total = f'<tr class="total">{_entry("All requests", entries)}</tr>'
    return (
        '<h2>Requests by name</h2><div class="scroll"><table>'
        f"<thead><tr><th>Name</th>{head}</tr></thead><tbody>{rows}{total}</tbody></table></div>"
    )


def _entry(label: str, entries: Sequence[EntryStatistics]) -> str:
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
    cells = (f"{requests:,}", f"{failures:,}", _ratio(failures, requests))
    values = (*cells, *(format_ms(value) for value in milliseconds))
    return f'<td class="long">{escape(label)}</td>' + "".join(f"<td>{v}</td>" for v in values)


def _errors(errors: Sequence[ErrorCount]) -> str:
    if not errors:
        return "<h2>Errors</h2><p>None.</p>"
    ordered = sorted(errors, key=lambda error: -error.occurrences)
    rows = "".join(
        f"<tr><td>{error.occurrences:,}</td>"
        f'<td class="text long">{escape(f"{error.method} {error.name}")}</td>'
        f'<td class="text long">{escape(error.error)}</td></tr>'
        for error in ordered[:ERRORS_MAX]
    )
    rest = len(ordered) - ERRORS_MAX
    more = f"<p>{rest:,} rarer errors are in failures.csv.</p>" if rest > 0 else ""
    head = '<tr><th>Occurrences</th><th class="text">Name</th><th class="text">Error</th></tr>'
    return f'<h2>Errors</h2><div class="scroll"><table>{head}{rows}</table></div>{more}'


def _pictures(figures: Sequence[tuple[str, str]]) -> str:
    return "".join(f"<h2>{escape(caption)}</h2><figure>{svg}</figure>" for caption, svg in figures)


def _facts(summary: Summary) -> str:
    facts = {**summary.versions, "release": summary.release_sha256}
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in facts.items()
    )
    specification = escape(json.dumps(summary.specification, indent=2, ensure_ascii=False))
    return (
        f"<h2>Specification</h2><pre>{specification}</pre>"
        f'<h2>Versions</h2><table class="facts">{rows}</table>'
    )


def _ratio(part: int, whole: int) -> str:
    percent = 100 * ratio(part, whole)
    return f"{percent:.3g} %" if percent == 0 or percent >= 0.01 else "< 0.01 %"
