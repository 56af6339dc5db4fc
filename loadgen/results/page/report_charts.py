"""What the report's charts show, as the page's script reads it: lists on one time axis.

Times are seconds since the measured interval began. A window is drawn at its middle.
"""

import math
from collections.abc import Sequence

from pydantic import JsonValue

from loadgen.results.name_windows import NameWindow
from loadgen.results.statistics_file import Record
from loadgen.results.timeline import Point, regroup
from loadgen.shared.histograms import percentile
from loadgen.shared.snapshot import SecondCount

PARTS = (0.5, 0.95, 0.99)
WINDOWS, RATES = 60, 300
BUCKETS_PER_DECADE = 8
Chart = dict[str, JsonValue]


def charts(record: Record) -> list[Chart]:
    """Return the charts of a run, in the order of the page; none without anything measured."""
    points = record.points
    if not points:
        return []
    start, end = points[0].time - points[0].seconds, points[-1].time
    windows = regroup(points, _window(end - start))
    found = [
        _response_times(windows, start),
        _target_cpu(record, start),
        _throughput(record, start, end),
        _users(points, start),
        _heatmap(windows, start),
        _cpu(points, start),
        _errors(windows, start),
    ]
    return [chart for chart in found if chart]


def _window(seconds: float) -> float:
    """Return a window's length: short runs have some thirty, long ones sixty."""
    return max(1.0, float(math.ceil(seconds / WINDOWS)))


def _line(label: str, values: Sequence[float | None], **more: JsonValue) -> dict[str, JsonValue]:
    return {"label": label, "y": [None if v is None else float(f"{v:.5g}") for v in values], **more}


def _middles(points: Sequence[Point], start: float) -> list[JsonValue]:
    return [round(point.time - point.seconds / 2 - start, 3) for point in points]


def _response_times(windows: Sequence[Point], start: float) -> Chart:
    seconds = max(window.seconds for window in windows)
    lines = [
        _line(f"p{round(q * 100)}", [percentile(w.response_times, q) for w in windows])
        for q in PARTS
    ]
    return {
        "id": "response-times",
        "title": "Response time",
        "caption": f"windows of {seconds:.3g} s",
        "unit": "ms",
        "height": 260,
        "x": _middles(windows, start),
        "series": list[JsonValue](lines),
        "points": len(windows) < 3,
    }


def _target_cpu(record: Record, start: float) -> Chart:
    """Show the target's machines where Prometheus knew them, under the response time."""
    values = {one.host[:60]: dict(one.points) for one in record.target_cpu}
    times = sorted({time for points in values.values() for time in points})
    if not times:
        return {}
    return {
        "id": "target-cpu",
        "title": "CPU of the target",
        "caption": "per cent of all cores of each machine, from Prometheus",
        "unit": "",
        "height": 130,
        "x": [round(time - start, 3) for time in times],
        "series": [
            _line(host, [points[time] * 100 if time in points else None for time in times])
            for host, points in values.items()
        ],
        "points": len(times) < 3,
    }


def _throughput(record: Record, start: float, end: float) -> Chart:
    counts = _whole_seconds(record, start, end)
    width = record.completed_width
    return {
        "id": "throughput",
        "title": "Throughput",
        "caption": f"answers a second, in {'each' if width == 1 else f'every {width}'} s",
        "unit": "",
        "x": [round(count.second + width / 2 - start, 3) for count in counts],
        "series": [
            _line("requests", [count.requests / width for count in counts]),
            _line("failures", [count.failures / width for count in counts]),
        ],
        "points": len(counts) < 3,
    }


def _whole_seconds(record: Record, start: float, end: float) -> list[SecondCount]:
    """Return the bins that lie in the interval as a whole; a part would look like a drop."""
    width = record.completed_width
    known = {count.second: count for count in record.completed}
    first = math.ceil(start / width) * width
    return [
        known.get(second, SecondCount(second, 0, 0))
        for second in range(first, math.floor(end) - width + 1, width)
    ]


def _users(points: Sequence[Point], start: float) -> Chart:
    return {
        "id": "users",
        "title": "Users",
        "caption": "",
        "unit": "",
        "height": 130,
        "x": [round(point.time - start, 3) for point in points],
        "series": [_line("users", [float(point.users) for point in points], steps=True)],
    }


def _heatmap(windows: Sequence[Point], start: float) -> Chart:
    times = {time for window in windows for time in window.response_times if time > 0}
    if not times:
        return {}
    lowest = math.floor(math.log10(min(times)) * BUCKETS_PER_DECADE)
    highest = math.floor(math.log10(max(times)) * BUCKETS_PER_DECADE)
    edges = [10 ** (step / BUCKETS_PER_DECADE) for step in range(lowest, highest + 2)]
    cells: list[JsonValue] = []
    for index, window in enumerate(windows):
        counts: dict[int, int] = {}
        for time, count in window.response_times.items():
            bucket = math.floor(math.log10(max(time, edges[0])) * BUCKETS_PER_DECADE) - lowest
            counts[max(0, bucket)] = counts.get(max(0, bucket), 0) + count
        cells += [[index, bucket, count] for bucket, count in sorted(counts.items())]
    spans: list[JsonValue] = [[w.time - w.seconds - start, w.time - start] for w in windows]
    return {
        "id": "heatmap",
        "title": "How many answers took how long",
        "caption": "darker cells have more answers",
        "unit": "ms",
        "logarithmic": True,
        "height": 240,
        "x": _middles(windows, start),
        "series": [
            _line("slowest", [max(w.response_times, default=None) for w in windows], colour=1),
            _line("fastest", [_fastest(w) for w in windows], colour=5),
        ],
        "heat": {"windows": spans, "edges": list[JsonValue](edges), "cells": cells},
    }


def _fastest(window: Point) -> float | None:
    return min((time for time in window.response_times if time > 0), default=None)


def _cpu(points: Sequence[Point], start: float) -> Chart:
    if not any(point.cpu_percent_max for point in points):
        return {}
    return {
        "id": "cpu",
        "title": "CPU of the workers",
        "caption": "per cent of one core, for each worker",
        "unit": "",
        "height": 130,
        "x": [round(point.time - start, 3) for point in points],
        "series": [
            _line("busiest worker", [point.cpu_percent_max for point in points]),
            _line("mean", [point.cpu_percent_mean for point in points]),
        ],
    }


def _errors(windows: Sequence[Point], start: float) -> Chart:
    texts = list(dict.fromkeys(error for window in windows for error in window.errors))
    if not texts:
        return {}
    return {
        "id": "errors",
        "title": "Errors",
        "caption": "a second, by kind",
        "unit": "",
        "height": 150,
        "x": _middles(windows, start),
        "series": [
            _line(text[:60], [w.errors.get(text, 0) / max(w.seconds, 1e-3) for w in windows])
            for text in texts
        ],
    }


def by_name(names: Sequence[NameWindow], start: float) -> list[Chart]:
    """Return one chart of percentiles for each name."""
    windows: dict[tuple[str, str], list[NameWindow]] = {}
    for window in names:
        windows.setdefault((window.method, window.name), []).append(window)
    return [
        {
            "title": f"{method} {name}",
            "unit": "ms",
            "height": 220,
            "x": [round(one.time - one.seconds / 2 - start, 3) for one in mine],
            "series": [
                _line("p50", [one.p50_ms for one in mine]),
                _line("p95", [one.p95_ms for one in mine]),
                _line("p99", [one.p99_ms for one in mine]),
            ],
            "points": len(mine) < 3,
        }
        for (method, name), mine in windows.items()
    ]
