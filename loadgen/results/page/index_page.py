"""Builds `results/index.html`: every run, how its figures develop, and two of them compared.

One file that opens offline, renewed with each run; see `pages` for its policy. Runs that can't be
read are listed with the reason, and those that can't be trusted are kept out of the trend.
"""

from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue

from loadgen.results.archive import LATEST
from loadgen.results.catalogue import BASELINE, broken_runs, list_runs
from loadgen.results.comparison.setup_differences import describe_setup
from loadgen.results.page.rendering import render
from loadgen.results.summary import Summary
from loadgen.results.trend import ALL, NameTrend, load_trends
from loadgen.shared.files import write_text

INDEX_FILE = "index.html"


def renew_index(results: Path) -> Path:
    """Write the page anew; return its path. Raises OSError."""
    path = results / INDEX_FILE
    write_text(path, build_index(results))
    return path


def build_index(results: Path) -> str:
    """Return the whole page."""
    marked = {
        name: (results / name).resolve().name
        for name in (LATEST, BASELINE)
        if (results / name).is_symlink()
    }
    runs = [_run(run.directory, run.summary) for run in list_runs(results)]
    return render(
        "index.html.jinja2",
        "index.js",
        {
            "runs": runs,
            "broken": broken_runs(results),
            "made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
            "data": {"runs": runs, **marked},
        },
    )


def _run(directory: Path, summary: Summary) -> dict[str, JsonValue]:
    specification = summary.specification
    begun = summary.started_at or summary.ended_at
    times = summary.response_time_seconds
    return {
        "directory": directory.name,
        "report": f"{directory.name}/report.html",
        "at": begun.timestamp() if begun else 0,
        "began": f"{begun:%Y-%m-%d %H:%M}" if begun else "",
        "verdict": summary.verdict,
        "scenario": str(specification.get("locustfile", "")),
        "host": str(specification.get("host", "")),
        "users": specification.get("users"),
        "description": summary.description,
        "requests": summary.requests,
        "failures": summary.failures,
        "failure_ratio": summary.failures / summary.requests if summary.requests else 0,
        "throughput": summary.throughput_per_second,
        "p50": _ms(times.p50),
        "p95": _ms(times.p95),
        "p99": _ms(times.p99),
        "reasons": list(summary.reasons),
        "setup": dict(describe_setup(summary)),
        "names": [_row(trend) for trend in load_trends(directory) or [_whole(summary)]],
    }


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else float(f"{1000 * seconds:.5g}")


def _row(trend: NameTrend) -> list[JsonValue]:
    """Return name, requests, failures, and three of value, low and high: as short as can be."""
    parts = [trend.p50, trend.p95, trend.p99]
    bounds: list[JsonValue] = [
        [part.value, part.low, part.high] if part else None for part in parts
    ]
    return [trend.name, trend.requests, trend.failures, *bounds]


def _whole(summary: Summary) -> NameTrend:
    """Stand in for a run of an earlier release, which kept no intervals."""
    return NameTrend(name=ALL, requests=summary.requests, failures=summary.failures)
