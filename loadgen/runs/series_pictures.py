"""Pictures of a series: response time and throughput over the load, with limits."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from loadgen.results.evaluation.pictures import (
    COLOURS,
    draw_limits,
    legend_above,
    literal,
    new_picture,
)
from loadgen.runs.capacity_search import Capacity, Trial

MARKS = {"held": "o", "broke": "x", "saturated": "^", "unusable": "+"}
Row = Mapping[str, str | int | float | None]


def draw_search(found: Capacity, limits: Sequence[float] = ()) -> Figure:
    """Every trial of a search over its load; the interval is shaded, limits are dashed (s)."""
    unit = "users" if found.over == "users" else "arrivals per second"
    figure, axes = new_picture("Capacity", unit, "p95 response time (s)")
    for state, mark in MARKS.items():
        trials = [trial for trial in found.trials if trial.outcome.state == state]
        _plot_trials(axes, trials, state, mark)
    if found.low is not None and found.high is not None:
        axes.axvspan(found.low, found.high, color=COLOURS[4], alpha=0.25, label="interval")
    if found.published and found.published.first_broke is not None:
        label = "published rule ends"
        axes.axvline(found.published.first_broke, color=COLOURS[5], linestyle="-.", label=label)
    draw_limits(axes, limits)
    _plot_throughput(axes, found.trials)
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=0)
    legend_above(axes)
    return figure


def draw_curve(found: Capacity) -> Figure:
    """Draw the share of trials that held at each load, and the fitted curve with its interval."""
    unit = "users" if found.over == "users" else "arrivals per second"
    figure, axes = new_picture("Trials that held every SLO", unit, "share of the trials")
    for count in found.loads:
        axes.plot(count.load, count.held / count.tried, "o", color=COLOURS[0])
        axes.annotate(
            f"{count.held}/{count.tried}",
            (count.load, count.held / count.tried),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=7,
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.set_ylim(-0.05, 1.15)
    if found.curve:
        low, high = axes.get_xlim()
        loads = np.geomspace(low, high, 300)
        label = f"logistic curve, one half at {found.curve.middle:,.4g}"
        axes.plot(loads, [found.curve.chance(x) for x in loads], color=COLOURS[2], label=label)
        bounds = found.curve.low or low, found.curve.high or high
        label = f"{100 * found.curve.confidence:g} % interval"
        axes.axvspan(*bounds, color=COLOURS[4], alpha=0.25, label=label)
        axes.set_xlim(low, high)
        legend_above(axes)
    return figure


def _plot_trials(axes: Axes, trials: Sequence[Trial], state: str, mark: str) -> None:
    points = [(t.load, t.outcome.p95_seconds) for t in trials if t.outcome.p95_seconds is not None]
    if points:
        colour = COLOURS[0] if state == "held" else COLOURS[1]
        loads, times = zip(*points, strict=True)
        axes.plot(loads, times, mark, color=colour, linestyle="none", label=f"p95, {state}")


def _plot_throughput(axes: Axes, trials: Sequence[Trial]) -> None:
    rates: dict[int, list[float]] = defaultdict(list)
    for trial in trials:
        if trial.outcome.throughput_per_second is not None:
            rates[trial.load].append(trial.outcome.throughput_per_second)
    if not rates:
        return
    right = axes.twinx()
    loads = sorted(rates)
    right.plot(loads, [median(rates[load]) for load in loads], ":", color=COLOURS[2])
    right.set_ylabel("throughput (requests per second, dotted)", color=COLOURS[2])
    right.set_ylim(bottom=0)
    right.grid(visible=False)


def draw_sweep(rows: Sequence[Row], field: str) -> Figure:
    """Response times and throughput over one field; repetitions are points, medians a line."""
    figure, axes = new_picture(f"Sweep over {field}", field, "response time (s)")
    values = list(dict.fromkeys(row[field] for row in rows))
    numeric = all(isinstance(value, int | float) for value in values)
    places = {
        value: float(value) if numeric and isinstance(value, int | float) else float(index)
        for index, value in enumerate(values)
    }
    for index, measure in enumerate(("p50_seconds", "p95_seconds")):
        _plot_measure(axes, rows, places, field, measure, COLOURS[index])
    right = axes.twinx()
    _plot_measure(right, rows, places, field, "throughput_per_second", COLOURS[2], ":")
    right.set_ylabel("throughput (requests per second, dotted)", color=COLOURS[2])
    right.grid(visible=False)
    if not numeric:
        axes.set_xticks(range(len(values)), [literal(str(value)) for value in values])
    for each in (axes, right):
        each.set_ylim(bottom=0)
    legend_above(axes)
    return figure


def _plot_measure(
    axes: Axes,
    rows: Sequence[Row],
    places: Mapping[str | int | float | None, float],
    field: str,
    measure: str,
    colour: str,
    line: str = "-",
) -> None:
    found: dict[float, list[float]] = defaultdict(list)
    for row in rows:
        value = row[measure]
        if isinstance(value, int | float):
            found[places[row[field]]].append(float(value))
    points = [(x, y) for x, values in found.items() for y in values]
    if points:
        xs, ys = zip(*points, strict=True)
        axes.plot(xs, ys, "o", color=colour, markersize=3)
    label = measure.removesuffix("_seconds")
    axes.plot(list(found), [median(v) for v in found.values()], line, color=colour, label=label)
