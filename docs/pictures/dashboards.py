"""Draws each dashboard from data: runs real load under a real Prometheus, evaluates every panel.

    make pictures          (writes docs/pictures/dashboard-*.png and watch.svg)

Grafana isn't needed. Panels are evaluated as it does (tests/monitoring/dashboards/grafana_view.py),
tiles and tables by its own library, which takes node; colours are those of the thresholds.
"""

import datetime
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.dates import DateFormatter
from matplotlib.gridspec import GridSpec

from exporter.grafana.__main__ import dashboards
from loadgen.shared.text import format_seconds
from tests.monitoring.cluster import ROOT
from tests.monitoring.dashboards.grafana_view import View
from tests.monitoring.dashboards.watched import Watched, watching

PICTURES = Path(__file__).parent
SECONDS = 60
SCRAPE_SECONDS = 1
COLUMNS = 24
MAXIMUM_ROWS = 6
LEGEND_LINES = 6


def unit(value: float, name: str) -> str:
    """Write a value on an axis, about as Grafana would."""
    if name == "s":
        return format_seconds(value)
    if name == "percentunit":
        return f"{value:.0%}"
    if name in ("bytes", "Bps"):
        return f"{value / 2**20:,.0f} MiB" if value >= 2**20 else f"{value / 2**10:,.0f} KiB"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def draw(view: View) -> Path:
    """Draw one dashboard; return its file. Rows of panels without data are left out."""
    filled = [panel for panel in view.panels if panel["type"] != "annolist"]
    filled = [panel for panel in filled if not panel["title"].startswith("Target: ")]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in filled)
    inches = height * 0.36
    figure = plt.figure(figsize=(15, inches))
    grid = GridSpec(height, COLUMNS, figure=figure, hspace=2.6, wspace=2.4, top=1 - 0.7 / inches)
    tiles, tables = view.of_kind("stat"), view.of_kind("table")
    evaluated: dict[str, Any] = dict(view.tiles(*tiles))
    evaluated |= dict(zip(tables, view.tables(*tables), strict=True))
    for panel in filled:
        place = panel["gridPos"]
        rows = slice(place["y"], place["y"] + place["h"] - 1)
        axes = figure.add_subplot(grid[rows, place["x"] : place["x"] + place["w"]])
        axes.set_title(panel["title"], fontsize=9, loc="left")
        if panel["title"] in evaluated:
            {"stat": _tile, "table": _table}[panel["type"]](axes, evaluated[panel["title"]])
            axes.set_title(panel["title"], fontsize=9, loc="left")
        else:
            {"timeseries": _lines, "heatmap": _heatmap}[panel["type"]](axes, panel, view)
    figure.suptitle(f"{view.content['title']}: {view.content['description']}", fontsize=12, y=1.0)
    file = PICTURES / f"dashboard-{view.name}.png"
    figure.savefig(file, dpi=70, bbox_inches="tight")
    plt.close(figure)
    return file


def _tile(axes: Axes, shown: dict[str, Any]) -> None:
    colour = shown.get("color") or "#5794F2"
    axes.text(0.5, 0.45, shown["text"], ha="center", va="center", fontsize=17, color=colour)
    axes.set_axis_off()


def _moment(seconds: float) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def _lines(axes: Axes, panel: dict[str, Any], view: View) -> None:
    name = panel["fieldConfig"]["defaults"].get("unit", "")
    for legend, points in view.series(panel["title"]).items():
        moments = [_moment(at) for at, _ in points]
        axes.plot(moments, [value for _, value in points], linewidth=1, label=legend)  # type: ignore[arg-type]
    axes.set_xlim(_moment(view.start), _moment(view.end))  # type: ignore[arg-type]
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M:%S"))  # type: ignore[no-untyped-call]
    axes.yaxis.set_major_formatter(lambda value, _: unit(value, name))
    axes.tick_params(labelsize=7)
    axes.tick_params(axis="x", labelrotation=0)
    axes.grid(alpha=0.3)
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        # Beside the title, on neither the data nor the panel below.
        axes.legend(
            handles[:LEGEND_LINES],
            labels[:LEGEND_LINES],
            fontsize=6,
            loc="lower right",
            bbox_to_anchor=(1.01, 0.97),
            ncols=3,
            frameon=False,
        )


def _heatmap(axes: Axes, panel: dict[str, Any], view: View) -> None:
    found = sorted(view.series(panel["title"]).items(), key=lambda item: float(item[0]))
    moments = sorted({at for _, points in found for at, _ in points})
    cumulative = np.zeros((len(found), len(moments)))
    for row, (_, points) in enumerate(found):
        for at, value in points:
            cumulative[row, moments.index(at)] = value
    counts = np.diff(cumulative, axis=0, prepend=0.0)[:-1]
    used = np.flatnonzero(counts.sum(axis=1))
    low, high = max(used.min() - 1, 0), used.max() + 2
    times = [_moment(at) for at in moments]
    axes.pcolormesh(times, range(low, high), counts[low:high], cmap="Blues", shading="nearest")  # type: ignore[arg-type]
    axes.set_xlim(_moment(view.start), _moment(view.end))  # type: ignore[arg-type]
    labelled = list(range(low, high, max(1, (high - low) // 8)))
    axes.set_yticks(labelled)
    axes.set_yticklabels([format_seconds(float(found[row][0])) for row in labelled])
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M:%S"))  # type: ignore[no-untyped-call]
    axes.tick_params(labelsize=7)
    axes.tick_params(axis="x", labelrotation=0)


def _table(axes: Axes, rows: list[dict[str, Any]]) -> None:
    axes.set_axis_off()
    if not rows:
        return
    heads = [head for head, cell in rows[0].items() if not cell["hidden"]]
    cells = [[row[head]["text"][:44] for head in heads] for row in rows[:MAXIMUM_ROWS]]
    table = axes.table(cells, colLabels=heads, loc="upper left", cellLoc="left", edges="horizontal")
    table.auto_set_font_size(False)
    table.set_fontsize(7)
    table.auto_set_column_width(list(range(len(heads))))
    for number, row in enumerate(rows[:MAXIMUM_ROWS], start=1):
        for place, head in enumerate(heads):
            if row[head]["coloured"] and row[head]["color"]:
                table[number, place].get_text().set_color(row[head]["color"])


def watch(exporter_port: int) -> None:
    """Keep the terminal's view of the first run, when it is well under way."""
    url = f"http://127.0.0.1:{exporter_port}/metrics"
    options = ["--url", url, "--seconds", str(SECONDS - 25), "--svg", str(PICTURES / "watch.svg")]
    command = [sys.executable, "-m", "loadgen", "watch", *options]
    for _ in range(SECONDS):
        if not subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode:
            return
        time.sleep(1)


def _view(watched: Watched, name: str) -> View:
    run = watched.runs[-1]
    start = {"home": watched.runs[0].began - 5, "fleet": run.began}.get(name)
    prometheus = watched.prometheus[SCRAPE_SECONDS]
    chosen = {"fleet": "north"}
    view = View(prometheus, name, start or run.began, run.ended, SCRAPE_SECONDS, chosen)
    if start is not None:
        return view
    # As the link at the top of the page shows it: the whole run and no more.
    whole = [float(view.values[moment]) / 1000 for moment in ("begin", "end")]
    end = min(whole[1], run.ended)
    return View(prometheus, name, whole[0] + 10, end, SCRAPE_SECONDS, chosen)


def main() -> None:
    """Draw everything."""
    mpl.use("Agg")
    options = ("--spawn-rate", "0.5")
    watcher: list[threading.Thread] = []

    def started(exporter_port: int) -> None:
        watcher.append(threading.Thread(target=watch, args=(exporter_port,), daemon=True))
        watcher[0].start()

    with (
        tempfile.TemporaryDirectory() as directory,
        watching(
            Path(directory),
            *options,
            intervals=(SCRAPE_SECONDS,),
            run_seconds=(SECONDS, SECONDS),
            started=started,
        ) as watched,
    ):
        for name in dashboards():
            print(draw(_view(watched, name)))


if __name__ == "__main__":
    main()
