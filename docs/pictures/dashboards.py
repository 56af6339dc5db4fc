"""Draws each dashboard from data: runs real load under a real Prometheus, asks every panel's query.

    make pictures          (writes docs/pictures/dashboard-*.png and watch.svg)

Grafana isn't needed. What stands here is what its panels are given, in the panels' own layout.
"""

import datetime
import json
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

from exporter.grafana.__main__ import DIRECTORY, dashboards
from loadgen.shared.text import format_seconds
from tests.monitoring.watched import ROOT, Watched, filled, watching

PICTURES = Path(__file__).parent
SECONDS = 60
COLUMNS = 24
MAXIMUM_ROWS = 6
CELL_CHARACTERS = 44

Series = dict[str, Any]


def unit(value: float, name: str) -> str:
    """Write a value as Grafana would."""
    if name == "s":
        return format_seconds(value)
    if name == "percentunit":
        return f"{value:.1%}"
    if name == "bytes":
        return f"{value / 2**20:,.0f} MiB"
    if name == "dateTimeAsIso":
        return datetime.datetime.fromtimestamp(value / 1000, datetime.UTC).strftime("%H:%M:%S UTC")
    return f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def legend(target: dict[str, Any], series: Series) -> str:
    """Fill a legend's labels."""
    text = str(target.get("legendFormat", ""))
    for label, value in series["metric"].items():
        text = text.replace(f"{{{{{label}}}}}", value)
    return text


def draw(name: str, watched: Watched, start: float, end: float) -> Path:
    """Draw one dashboard between two moments; return its file."""
    content = json.loads((DIRECTORY / f"{name}.json").read_text())
    panels = [panel for panel in content["panels"] if panel["type"] != "row"]
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    inches = height * 0.36
    figure = plt.figure(figsize=(15, inches))
    grid = GridSpec(height, COLUMNS, figure=figure, hspace=2.6, wspace=2.4, top=1 - 0.7 / inches)
    for panel in panels:
        place = panel["gridPos"]
        rows = slice(place["y"], place["y"] + place["h"] - 1)
        axes = figure.add_subplot(grid[rows, place["x"] : place["x"] + place["w"]])
        axes.set_title(panel["title"], fontsize=9, loc="left")
        kinds = {"stat": _stat, "timeseries": _lines, "heatmap": _heatmap, "table": _table}
        kinds.get(panel["type"], _nothing)(axes, panel, watched, (start, end))
    figure.suptitle(f"{content['title']}: {content['description']}", fontsize=12, y=1.0)
    file = PICTURES / f"dashboard-{name}.png"
    figure.savefig(file, dpi=70, bbox_inches="tight")
    plt.close(figure)
    return file


Span = tuple[float, float]


def _range(watched: Watched, expression: str, span: Span) -> list[Series]:
    answer = watched.prometheus.get(
        "query_range", query=filled(expression, watched), start=span[0], end=span[1], step=1
    )
    result: list[Series] = answer["result"]
    return result


def _unit_of(panel: dict[str, Any]) -> str:
    return str(panel["fieldConfig"]["defaults"].get("unit", ""))


def _stat(axes: Axes, panel: dict[str, Any], watched: Watched, _span: Span) -> None:
    target = panel["targets"][0]
    moment = watched.second.moment
    (sample,) = watched.prometheus.samples(filled(target["expr"], watched), moment)
    name = _unit_of(panel)
    shown = legend(target, sample) if name == "none" else unit(float(sample["value"][1]), name)
    axes.text(0.5, 0.5, shown, ha="center", va="center", fontsize=17, color="#1f60c4")
    axes.set_axis_off()
    axes.set_title(panel["title"], fontsize=9, loc="left")


def _lines(axes: Axes, panel: dict[str, Any], watched: Watched, span: Span) -> None:
    name = _unit_of(panel)
    for target in panel["targets"]:
        for series in _range(watched, target["expr"], span):
            points = [(float(moment), float(value)) for moment, value in series["values"]]
            moments = [datetime.datetime.fromtimestamp(m, datetime.UTC) for m, _ in points]
            label = legend(target, series)
            for variable in ("$run_a", "$run_b"):
                label = label.replace(variable, filled(variable, watched))
            axes.plot(moments, [value for _, value in points], linewidth=1, label=label)  # type: ignore[arg-type]
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M:%S"))  # type: ignore[no-untyped-call]
    axes.yaxis.set_major_formatter(lambda value, _: unit(value, name))
    axes.tick_params(labelsize=7)
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[1]:
        axes.legend(fontsize=6, loc="upper left", ncols=2, framealpha=0.6)


def _heatmap(axes: Axes, panel: dict[str, Any], watched: Watched, span: Span) -> None:
    found = _range(watched, panel["targets"][0]["expr"], span)
    found.sort(key=lambda series: float(series["metric"]["le"]))
    moments = sorted({float(moment) for series in found for moment, _ in series["values"]})
    cumulative = np.zeros((len(found), len(moments)))
    for row, series in enumerate(found):
        for moment, value in series["values"]:
            cumulative[row, moments.index(float(moment))] = float(value)
    counts = np.diff(cumulative, axis=0, prepend=0.0)[:-1]
    used = np.flatnonzero(counts.sum(axis=1))
    low, high = max(used.min() - 1, 0), used.max() + 2
    times = [datetime.datetime.fromtimestamp(moment, datetime.UTC) for moment in moments]
    axes.pcolormesh(times, range(low, high), counts[low:high], cmap="Blues", shading="nearest")  # type: ignore[arg-type]
    axes.set_yticks(range(low, high))
    axes.set_yticklabels(
        [format_seconds(float(series["metric"]["le"])) for series in found[low:high]]
    )
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M:%S"))  # type: ignore[no-untyped-call]
    axes.tick_params(labelsize=7)


def _table(axes: Axes, panel: dict[str, Any], watched: Watched, _span: Span) -> None:
    renamed = panel["transformations"][1]["options"]["renameByName"]
    labels = [label for label in renamed if not label.startswith("Value")]
    columns = [renamed[label] for label in renamed if label.startswith("Value")]
    units = {
        override["matcher"]["options"]: override["properties"][0]["value"]
        for override in panel["fieldConfig"]["overrides"]
    }
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for column, target in zip(columns, panel["targets"], strict=True):
        query = filled(target["expr"], watched)
        for sample in watched.prometheus.samples(query, watched.second.moment):
            key = tuple(sample["metric"].get(label, "")[:CELL_CHARACTERS] for label in labels)
            rows.setdefault(key, {})[column] = unit(float(sample["value"][1]), units[column])
    axes.set_axis_off()
    axes.set_title(panel["title"], fontsize=9, loc="left")
    if rows:
        cells = [[*key, *(rows[key].get(c, "") for c in columns)] for key in rows][:MAXIMUM_ROWS]
        heads = [*(renamed[label] for label in labels), *columns]
        table = axes.table(
            cells, colLabels=heads, loc="upper left", cellLoc="left", edges="horizontal"
        )
        table.auto_set_font_size(False)
        table.set_fontsize(7)
        table.auto_set_column_width(list(range(len(heads))))


def _nothing(axes: Axes, panel: dict[str, Any], _watched: Watched, _span: Span) -> None:
    axes.text(0, 0.6, panel["description"], fontsize=8, color="gray")
    axes.set_axis_off()
    axes.set_title(panel["title"], fontsize=9, loc="left")


def watch(exporter_port: int) -> None:
    """Keep the terminal's view of the first run, when it is well under way."""
    url = f"http://127.0.0.1:{exporter_port}/metrics"
    options = ["--url", url, "--seconds", str(SECONDS - 25), "--svg", str(PICTURES / "watch.svg")]
    command = [sys.executable, "-m", "loadgen", "watch", *options]
    for _ in range(SECONDS):
        if not subprocess.run(command, cwd=ROOT, capture_output=True, check=False).returncode:
            return
        time.sleep(1)


def main() -> None:
    """Draw everything."""
    mpl.use("Agg")
    options = ("--run-time", f"{SECONDS}s", "--spawn-rate", "0.5")
    watcher: list[threading.Thread] = []

    def started(exporter_port: int) -> None:
        watcher.append(threading.Thread(target=watch, args=(exporter_port,), daemon=True))
        watcher[0].start()

    with (
        tempfile.TemporaryDirectory() as directory,
        watching(Path(directory), *options, started=started) as watched,
    ):
        end = watched.second.moment
        for name in dashboards():
            span = (end - SECONDS * 3, end) if name == "home" else (end - SECONDS + 5, end)
            print(draw(name, watched, *span))


if __name__ == "__main__":
    main()
