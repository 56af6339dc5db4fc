"""Prints what each tile of *Run* shows during a run, after it and over many, beside the truth.

python docs/pictures/truth.py [SECONDS BETWEEN SCRAPES]        (a table for docs/monitoring.md)
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.monitoring.dashboards.grafana_view import View
from tests.monitoring.dashboards.watched import Watched, WatchedRun, watching

RUN_SECONDS = (20, 25, 20)
TRUTHS: dict[str, Callable[[WatchedRun], str]] = {
    "State": lambda _: "over",
    "Requests": lambda run: f"{run.summary['requests']:,}",
    "Requests/s": lambda run: f"{run.summary['throughput_per_second']:.3g}",
    "Failures": lambda run: f"{run.summary['failures'] / run.summary['requests']:.1%}",
    "p50": lambda run: f"{run.summary['response_time_seconds']['p50'] * 1000:.3g} ms",
    "p95": lambda run: f"{run.summary['response_time_seconds']['p95'] * 1000:.3g} ms",
    "p99": lambda run: f"{run.summary['response_time_seconds']['p99'] * 1000:.3g} ms",
    "Peak users": lambda run: str(run.summary["specification"]["users"]),
    "Workers lost": lambda run: str(run.summary["workers"]["lost"]),
    "Requests lost": lambda _: "0",
}


def table(watched: Watched, seconds: int) -> str:
    """Return the table, in Markdown."""
    run = watched.runs[-1]
    prometheus = watched.prometheus[seconds]
    running = 'locust_state{fleet="north",locust_state="running"} == 1'
    length = int(run.ended - run.began)
    moment = prometheus.value(f"max(max_over_time(timestamp({running})[{length}s:1s]))", run.ended)
    if moment is None:
        raise SystemExit("Prometheus did not see the run: give a shorter interval.")
    times = {
        "during": (moment - 300, moment),
        "a minute after": (run.ended - 840, run.ended + 60),
        "three runs and an idle hour": (watched.runs[0].began - 60, run.ended + 3600),
    }
    shown = {
        title: View(prometheus, "run", start, end, seconds, {"fleet": "north"}).tiles(*TRUTHS)
        for title, (start, end) in times.items()
    }
    lines = [f"| *Run* | {' | '.join(times)} | truth |", f"|---|{'---|' * (len(times) + 1)}"]
    for tile, truth in TRUTHS.items():
        values = " | ".join(shown[title][tile]["text"] for title in times)
        lines.append(f"| {tile} | {values} | {truth(run)} |")
    return "\n".join(lines)


def main() -> None:
    """Run, look, print."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with (
        tempfile.TemporaryDirectory() as directory,
        watching(Path(directory), intervals=(seconds,), run_seconds=RUN_SECONDS) as watched,
    ):
        print(table(watched, seconds))


if __name__ == "__main__":
    main()
