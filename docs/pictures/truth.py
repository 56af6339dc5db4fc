"""Prints what every panel shows during a run, after it and over many, beside the truth.

    python docs/pictures/truth.py [SECONDS BETWEEN SCRAPES]      (tables for docs/monitoring.md)

Real runs under a real Prometheus, panels evaluated as Grafana does. The truth is the newest run's
own results. A graph is told by its lines and the greatest value of the first, a table by its rows.
"""

import math
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from loadgen.results.statistics_file import load_record
from loadgen.shared.text import format_seconds
from tests.monitoring.dashboards.grafana_view import View
from tests.monitoring.dashboards.watched import USERS, Watched, WatchedRun, watching

RUN_SECONDS = (20, 25, 20)
FLEET = {"fleet": "north"}
WORKERS, NAMES = 2, 2


class Truth:
    """The newest run's own results, in words."""

    def __init__(self, watched: Watched) -> None:
        run = watched.runs[-1]
        self.runs, self.summary = [one.summary for one in watched.runs], run.summary
        self.times = run.summary["response_time_seconds"]
        self.record = load_record(watched.results / run.id)

    @property
    def rate(self) -> str:
        """Requests a second over the measured interval."""
        return f"{self.summary['throughput_per_second']:.3g}/s"

    @property
    def transfer(self) -> str:
        """Bytes of response bodies a second over the measured interval."""
        received = sum(entry.response_bytes for entry in self.record.entries)
        return f"{received / self.summary['measured_seconds'] / 1000:.3g} kB/s"

    @property
    def peak(self) -> str:
        """The most requests that were answered in one second of the workers' clocks."""
        return f"{max(count.requests for count in self.record.completed):.3g} req/s"

    def time(self, name: str) -> str:
        """Return an exact quantile."""
        return format_seconds(self.times[name])


Says = Callable[[Truth], str]
_REQUESTS: Says = lambda t: f"{t.summary['requests']:,}"  # noqa: E731
_FAILURES: Says = lambda t: f"{t.summary['failures']:,}"  # noqa: E731
_RATIO: Says = lambda t: f"{t.summary['failures'] / t.summary['requests']:.1%}"  # noqa: E731
TRUTHS: Mapping[str, Mapping[str, Says]] = {
    "run": {
        "State": lambda _: "over",
        "Requests": _REQUESTS,
        "Requests/s": lambda t: t.rate,
        "Peak requests/s": lambda t: t.peak,
        "Failures": _RATIO,
        "Peak users": lambda _: str(USERS),
        "p50": lambda t: t.time("p50"),
        "p95": lambda t: t.time("p95"),
        "p99": lambda t: t.time("p99"),
        "Bytes/s": lambda t: t.transfer,
        "Workers lost": lambda t: str(t.summary["workers"]["lost"]),
        "Requests lost": lambda _: "0",
        "Requests and failures": lambda t: f"2 lines, steady at {t.rate}",
        "Response times": lambda t: f"3 lines, p50 {t.time('p50')}",
        "Distribution of response times": lambda t: f"{_REQUESTS(t)} answers",
        "Users": lambda _: f"2 lines, {USERS}",
        "Transfer": lambda t: f"1 line, steady at {t.transfer}",
        "SLOs": lambda t: _some(len(t.summary["slos"]), "row"),
        "Requests by name": lambda _: f"{NAMES} lines",
        "95th percentile by name": lambda _: f"{NAMES} lines",
        "Names": lambda t: f"{NAMES} rows, Requests {_REQUESTS(t)}",
        "Errors": lambda t: f"1 row, Failures {_FAILURES(t)}",
    },
    "home": {
        "Now": lambda _: "no master after the run",
        "Users": lambda _: "- after the run",
        "Load": lambda t: f"1 line, steady at {t.rate}",
        "Runs": lambda t: (
            f"{len(t.runs)} rows, Requests {sum(run['requests'] for run in t.runs):,}"
        ),
    },
    "fleet": {
        "Masters": lambda _: "1 during the run, none after it",
        "Workers": lambda _: f"{WORKERS} during the run, none after it",
        "Workers missing": lambda _: "0 during the run, none after it",
        "Workers lost": lambda t: str(t.summary["workers"]["lost"]),
        "Values refused": lambda _: "0",
        "Workers by state": lambda _: "a line for each state, and one for the expected workers",
        "CPU by worker": lambda _: f"{WORKERS + 1} lines",
        "Memory by worker": lambda _: f"{WORKERS + 1} lines",
        "Users by worker": lambda _: f"{WORKERS} lines, {USERS // WORKERS}",
        "Clock offset by worker": lambda _: f"{WORKERS} lines",
        "Worker processes": lambda _: f"{WORKERS} rows for each run",
        "CPU by host": lambda _: "1 line",
        "Memory by host": lambda _: "1 line",
        "Descriptors by host": lambda _: "1 line",
        "Network by host": lambda _: "2 lines",
        "TCP connections by host": lambda _: "2 lines",
    },
    "compare": {
        "Both runs": lambda _: "2 rows",
        "Requests/s": lambda t: f"2 lines, steady at {t.rate}",
        "Failures/s": lambda _: "2 lines",
        "50th percentile": lambda t: f"2 lines, p50 {t.time('p50')}",
        "95th percentile": lambda t: f"2 lines, p95 {t.time('p95')}",
        "99th percentile": lambda t: f"2 lines, p99 {t.time('p99')}",
        "Users": lambda _: f"2 lines, {USERS}",
    },
}
"""What each panel should show; those that are not here have no truth of the run's own."""


def shown(view: View) -> dict[str, str]:
    """Tell every panel in a few words, by its title."""
    tables = view.of_kind("table")
    found = {title: str(tile["text"]) for title, tile in view.tiles(*view.of_kind("stat")).items()}
    found |= {title: _table(rows) for title, rows in zip(tables, view.tables(*tables), strict=True)}
    for panel in view.panels:
        if panel["type"] == "annolist":
            found[panel["title"]] = "Grafana's own"
        elif panel["title"] not in found:
            found[panel["title"]] = _graph(view, panel)
    return found


def _table(rows: list[dict[str, Any]]) -> str:
    totals = [
        f", {column} {sum(row[column]['value'] or 0 for row in rows):,.0f}"
        for column in ("Requests", "Failures")
        if rows and column in rows[0]
    ]
    return _some(len(rows), "row") + "".join(totals)


def _graph(view: View, panel: Mapping[str, Any]) -> str:
    lines = view.series(panel["title"])
    if not lines:
        return "no data"
    if panel["type"] == "heatmap":
        return f"{sum(value for _, value in lines['+Inf']):,.0f} answers"
    known = [value for _, value in next(iter(lines.values())) if not math.isnan(value)]
    return f"{_some(len(lines), 'line')}, {_value(max(known, default=0.0), panel)}"


def _value(value: float, panel: Mapping[str, Any]) -> str:
    unit = panel["fieldConfig"]["defaults"].get("unit", "")
    if unit == "s":
        return format_seconds(value)
    if unit == "percentunit":
        return f"{value:.0%}"
    scaled = f"{value / 1000:.3g} kB" if unit in ("Bps", "bytes") else f"{value:,.3g}"
    return scaled + ("/s" if unit in ("Bps", "reqps") else "")


def _some(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def last_running(watched: Watched, run: WatchedRun, seconds: int) -> float:
    """Return the last moment at which Prometheus saw a run under way."""
    running = 'locust_state{fleet="north",locust_state="running"} == 1'
    length = int(run.ended - run.began)
    asked = f"max(max_over_time(timestamp({running})[{length}s:1s]))"
    moment = watched.prometheus[seconds].value(asked, run.ended)
    if moment is None:
        raise SystemExit("Prometheus did not see the run: give a shorter interval.")
    return moment


def tables(watched: Watched, seconds: int) -> str:
    """Return the tables, in Markdown: one for each dashboard."""
    run, truth = watched.runs[-1], Truth(watched)
    moment = last_running(watched, run, seconds)
    times = {
        "during": (moment - 300, moment),
        "a minute after": (run.ended - 840, run.ended + 60),
        "three runs and an idle hour": (watched.runs[0].began - 60, run.ended + 3600),
    }
    written = []
    for name, truths in TRUTHS.items():
        views = [
            View(watched.prometheus[seconds], name, start, end, seconds, FLEET)
            for start, end in times.values()
        ]
        each = [shown(view) for view in views]
        written += ["", f"| *{name.capitalize()}* | {' | '.join(times)} | truth |"]
        written.append(f"|---|{'---|' * (len(times) + 1)}")
        for panel in views[0].panels:
            if panel["title"].startswith("Target: "):
                continue  # without exporters at the target there is nothing to show
            cells = " | ".join(found[panel["title"]] for found in each)
            says = truths.get(panel["title"])
            written.append(f"| {panel['title']} | {cells} | {says(truth) if says else '-'} |")
    return "\n".join(written)


def main() -> None:
    """Run, look, print."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with (
        tempfile.TemporaryDirectory() as directory,
        watching(Path(directory), intervals=(seconds,), run_seconds=RUN_SECONDS) as watched,
    ):
        print(tables(watched, seconds))


if __name__ == "__main__":
    main()
