"""Pictures from a request log (see `loadgen.results.request_log` for its columns).

A log is a polars DataFrame in the order of starts; times on the axes are seconds since its first.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from loadgen.results.evaluation.pictures import (
    COLOURS,
    DASHES,
    count_axis,
    draw_limits,
    legend_above,
    literal,
    new_picture,
)
from loadgen.results.timeline import Point
from loadgen.shared.errors import UsageError

PERCENTILES = (0.5, 0.95, 0.99)
POINTS_MAX = 20_000
CAUSES_MAX = 6
SPAN_DAYS_MAX = 40
"""A run and its warm-up take eight days at most."""


def with_seconds(log: pl.DataFrame) -> pl.DataFrame:
    """Add `at` (seconds since the log's first start) and `seconds` (the response time)."""
    return log.with_columns(
        at=(pl.col("start_us") - pl.col("start_us").min()) / 1e6,
        seconds=pl.col("duration_us") / 1e6,
    )


def _timed(log: pl.DataFrame, *more: str) -> pl.DataFrame:
    """Return when each answered request began and how long it took, in seconds, and some columns.

    A log may have many millions of rows, so that no other column is copied.
    """
    columns = with_seconds(log.select("start_us", "duration_us", *more)).lazy()
    return columns.select("at", "seconds", *more).drop_nulls("seconds").collect()


def _places(count: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return places in a sorted list: evenly to its middle, then ever denser to its end.

    The shares behind them are even on a logarithmic axis, and every one of the slowest is there.
    """
    if count <= POINTS_MAX:
        return np.arange(count)
    behind = np.geomspace(1, count, POINTS_MAX).round().astype(np.int64)
    return np.unique(count - behind)


def draw_response_times(
    log: pl.DataFrame, limits: Sequence[float] = (), fault_times: Sequence[float] = ()
) -> Figure:
    """Every response over time, with limits (seconds) and known fault times (seconds in the run).

    Beyond 20,000 points an even sample is drawn, with every response above the lowest limit.
    """
    frame = _timed(log, "error")
    title = "Response times over time"
    if frame.height > POINTS_MAX:
        step = -(-frame.height // POINTS_MAX)
        keep = pl.int_range(pl.len()) % step == 0
        if limits:
            keep |= pl.col("seconds") > min(limits)
        title += f" (one in {step} shown)"
        frame = frame.filter(keep)
    figure, axes = new_picture(title, "time (s)", "response time (s)")
    failed = pl.col("error").is_not_null()
    for label, part, colour, mark in (
        ("succeeded", frame.filter(~failed), COLOURS[0], "."),
        ("failed", frame.filter(failed), COLOURS[1], "x"),
    ):
        if part.height:
            axes.plot(
                part["at"], part["seconds"], mark, color=colour, markersize=4, label=label,
                linestyle="none",
            )  # fmt: skip
    for time in fault_times:
        axes.axvline(time, color=COLOURS[3], linestyle=":", linewidth=1)
    draw_limits(axes, limits)
    axes.set_ylim(bottom=0)
    if frame.height:
        legend_above(axes)
    return figure


def nearest_rank(times: pl.Expr, ratio: float) -> pl.Expr:
    """Return the smallest value with that share at or below it, as a run's statistics do."""
    # 0.07 * 100 is 7.000000000000001 in binary: without rounding its rank would be 8.
    rank = (times.len() * ratio).round(9).ceil().cast(pl.Int64).clip(lower_bound=1)
    return times.sort().get(rank - 1)


def draw_percentiles(log: pl.DataFrame, window_seconds: float = 10) -> Figure:
    """Percentiles (nearest rank) of the response times that began in each window."""
    frame = _timed(log)
    windows = (
        frame.group_by((pl.col("at") // window_seconds * window_seconds).alias("window"))
        .agg(nearest_rank(pl.col("seconds"), q).alias(f"p{round(q * 100)}") for q in PERCENTILES)
        .sort("window")
    )
    figure, axes = new_picture(
        f"Percentiles over time, windows of {window_seconds:g} s", "time (s)", "response time (s)"
    )
    for index, ratio in enumerate(PERCENTILES):
        label = f"p{round(ratio * 100)}"
        axes.plot(
            windows["window"] + window_seconds / 2,
            windows[label],
            DASHES[index],
            color=COLOURS[index],
            label=label,
        )
    axes.set_ylim(bottom=0)
    legend_above(axes)
    return figure


def draw_distribution(log: pl.DataFrame, limits: Sequence[float] = ()) -> Figure:
    """Share of responses slower than each time, for the names with the most requests.

    Both axes are logarithmic: the tail, one request in a thousand, has as much room as the rest.
    """
    figure, axes = new_picture("Distribution", "response time (s)", "share of requests slower")
    frame = _timed(log, "method", "name")
    names = frame.group_by("method", "name").len().sort("len", "name", descending=[True, False])
    for index, (method, name, _) in enumerate(names.head(CAUSES_MAX).iter_rows()):
        mine = frame.lazy().filter((pl.col("method") == method) & (pl.col("name") == name))
        times = mine.select("seconds").collect()["seconds"].sort()
        places = _places(times.len())
        axes.step(
            times[places],
            (times.len() - places) / times.len(),
            DASHES[index % len(DASHES)],
            color=COLOURS[index],
            where="pre",
            label=literal(f"{method} {name}"),
        )
    for limit in limits:
        axes.axvline(limit, color=COLOURS[5], linestyle=":", linewidth=1)
        axes.annotate(
            f"limit {limit:g} s", (limit, 1), xycoords=("data", "axes fraction"), rotation=90,
            xytext=(-3, -4), textcoords="offset points", ha="right", va="top", fontsize=8,
            color=COLOURS[5],
        )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(top=1.2)
    legend_above(axes)
    return figure


def draw_throughput(log: pl.DataFrame, window_seconds: float = 1) -> Figure:
    """Draw how many requests were answered in each second, and how many of them failed."""
    frame = throughput(log, window_seconds)
    figure, axes = new_picture("Throughput", "time (s)", "answers per second")
    for name, line, colour in (("requests", "-", COLOURS[0]), ("failures", "--", COLOURS[1])):
        axes.step(frame["window"], frame[name], line, color=colour, where="post", label=name)
    axes.set_ylim(bottom=0)
    legend_above(axes)
    return figure


def throughput(log: pl.DataFrame, window_seconds: float = 1) -> pl.DataFrame:
    """Count answers a second in each window, `requests` and `failures`; empty windows are zeros."""
    ended = (pl.col("at") + pl.col("seconds").fill_null(0)) // window_seconds
    frame = (
        with_seconds(log.select("start_us", "duration_us", "error"))
        .group_by(ended.cast(pl.Int64).alias("number"))
        .agg(requests=pl.len(), failures=pl.col("error").is_not_null().sum())
    )
    last = frame["number"].max() if frame.height else -1
    if int(last) * window_seconds > SPAN_DAYS_MAX * 86400:  # type: ignore[arg-type]
        raise UsageError(
            f"the log's requests lie more than {SPAN_DAYS_MAX} days apart, and no run lasts as "
            "long, so they can't be drawn: a worker's clock was wrong, or the log was changed"
        )
    every = pl.DataFrame({"number": range(int(last) + 1)}, {"number": pl.Int64})  # type: ignore[arg-type]
    return (
        every.join(frame, on="number", how="left")
        .sort("number")
        .select(
            window=pl.col("number") * window_seconds,
            requests=pl.col("requests").fill_null(0) / window_seconds,
            failures=pl.col("failures").fill_null(0) / window_seconds,
        )
    )


def draw_users(points: Sequence[Point]) -> Figure:
    """Draw the users over time, from the run's snapshots."""
    figure, axes = new_picture("Users", "time (s)", "users")
    if points:
        start = points[0].time - points[0].seconds
        times = [point.time - start for point in points]
        # A point says what was at its end.
        axes.step(times, [point.users for point in points], color=COLOURS[0], where="pre")
    axes.set_ylim(bottom=0)
    count_axis(axes.yaxis)
    return figure


def failures_by_cause(log: pl.DataFrame) -> pl.DataFrame:
    """Count failures by method, name and error, most first; `ratio` is of the name's requests."""
    key = ["method", "name"]
    requests = log.group_by(key).agg(requests=pl.len())
    failures = log.drop_nulls("error").group_by([*key, "error"]).agg(failures=pl.len())
    return (
        failures.join(requests, on=key)
        .with_columns(ratio=pl.col("failures") / pl.col("requests"))
        .sort("failures", "name", "error", descending=[True, False, False])
    )


def draw_failures(log: pl.DataFrame) -> Figure:
    """Failures by cause; the rarest share one bar."""
    causes = failures_by_cause(log)
    figure, axes = new_picture("Failures by cause", "failures", "")
    axes.set_xlim(left=0, right=None if causes.height else 1)
    count_axis(axes.xaxis)
    top = causes.head(CAUSES_MAX)
    labels = [
        f"{literal(row['method'])} {literal(row['name'])}\n{literal(row['error'][:60])}"
        for row in top.to_dicts()
    ]
    counts = top["failures"].to_list()
    rest = causes.slice(CAUSES_MAX)["failures"].sum()
    if rest:
        labels, counts = [*labels, "other causes"], [*counts, rest]
    bars = axes.barh(range(len(counts)), counts, color=COLOURS[1])
    axes.bar_label(bars, padding=3)
    axes.set_yticks(range(len(counts)), labels, fontsize=8)
    axes.invert_yaxis()
    if not counts:
        axes.text(0.5, 0.5, "no failures", transform=axes.transAxes, ha="center")
    return figure


def slowest(log: pl.DataFrame, count: int = 8) -> pl.DataFrame:
    """Return the slowest requests, slowest first."""
    columns = ("at", "seconds", "method", "name", "status", "error", "worker")
    found = log.lazy().drop_nulls("duration_us").sort("duration_us", descending=True).head(count)
    first = pl.lit(log["start_us"].min(), pl.Int64)
    rows = found.with_columns(
        at=(pl.col("start_us") - first) / 1e6, seconds=pl.col("duration_us") / 1e6
    )
    return rows.select(columns).collect()
