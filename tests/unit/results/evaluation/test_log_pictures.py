import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from loadgen.node.request_log import RequestLog
from loadgen.results.evaluation import log_pictures
from loadgen.results.evaluation.log_pictures import (
    failures_by_cause,
    nearest_rank,
    slowest,
    throughput,
)
from loadgen.results.evaluation.pictures import save_picture
from loadgen.results.request_log import merge_log, read_log
from loadgen.results.timeline import Point
from loadgen.shared.errors import UsageError
from loadgen.shared.histograms import percentile
from tests.unit.samples import START


@pytest.fixture
def log(tmp_path: Path) -> pl.DataFrame:
    written, generator = RequestLog(tmp_path / "requests", "w"), random.Random(1)
    for index in range(2000):
        failed = index % 100 == 0
        written.add(
            "GET" if index % 3 else "POST",
            f"/{index % 2}",
            generator.lognormvariate(5, 1),
            exception="HTTP 503" if failed else None,
            start_time=1000 + index / 40,
        )
    written.add("GET", "/0", None, exception="refused", start_time=1050)
    written.write()
    merge_log(tmp_path)
    return read_log(tmp_path)


DRAWINGS: list[Callable[[pl.DataFrame], Figure]] = [
    lambda log: log_pictures.draw_response_times(log, (1.0, 2.0), (28.0, 36.0)),
    log_pictures.draw_percentiles,
    lambda log: log_pictures.draw_distribution(log, (1.0,)),
    log_pictures.draw_throughput,
    log_pictures.draw_failures,
]


@pytest.mark.parametrize("draw", DRAWINGS)
def test_every_picture_is_saved_in_three_formats(
    draw: Callable[[pl.DataFrame], Figure], log: pl.DataFrame, tmp_path: Path
) -> None:
    paths = save_picture(draw(log), tmp_path / "out" / "picture")
    starts = {path.suffix: path.read_bytes()[:5] for path in paths}
    assert starts == {".svg": b"<?xml", ".png": b"\x89PNG\r", ".pdf": b"%PDF-"}


@pytest.mark.parametrize("draw", DRAWINGS)
def test_an_empty_log_gives_an_empty_picture(
    draw: Callable[[pl.DataFrame], Figure], log: pl.DataFrame, tmp_path: Path
) -> None:
    assert save_picture(draw(log.clear()), tmp_path / "picture", ("svg",))


def test_the_same_log_gives_the_same_bytes(log: pl.DataFrame, tmp_path: Path) -> None:
    first, second = (
        save_picture(log_pictures.draw_throughput(log), tmp_path / name, ("svg",))[0]
        for name in ("a", "b")
    )
    assert first.read_bytes() == second.read_bytes()


def test_failures_are_counted_by_cause_and_as_a_share_of_their_name(log: pl.DataFrame) -> None:
    rows = failures_by_cause(log).to_dicts()
    assert sum(row["failures"] for row in rows) == 21
    assert {row["error"] for row in rows} == {"HTTP 503", "refused"}
    assert all(row["ratio"] == row["failures"] / row["requests"] for row in rows)


def test_slowest_requests_come_slowest_first(log: pl.DataFrame) -> None:
    times = slowest(log)["seconds"].to_list()
    assert len(times) == 8
    assert times == sorted(times, reverse=True)
    assert times[0] == pytest.approx(log["duration_us"].max() / 1e6)  # type: ignore[operator]


def test_a_long_log_is_thinned_but_keeps_what_breaks_a_limit(
    log: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_pictures, "POINTS_MAX", 100)
    figure = log_pictures.draw_response_times(log, limits=(1.0,))
    drawn = sum(len(np.asarray(line.get_xdata())) for line in figure.axes[0].lines[:2])
    over = log.filter(pl.col("duration_us") > 1_000_000).height
    assert over <= drawn < 105 + over
    assert "one in 20 shown" in figure.axes[0].get_title(loc="left")


def test_seconds_without_an_answer_are_zeros(tmp_path: Path) -> None:
    written = RequestLog(tmp_path / "requests", "w")
    for at in (0.0, 0.4, 1.2, 6.95, 7.0):
        written.add("GET", "/", 100.0, start_time=1000 + at)
    written.write()
    merge_log(tmp_path)
    found = throughput(read_log(tmp_path))
    assert found["requests"].to_list() == [2, 1, 0, 0, 0, 0, 0, 2]
    line = log_pictures.draw_throughput(read_log(tmp_path)).axes[0].lines[0]
    assert 0 in np.asarray(line.get_ydata()).tolist()


@pytest.mark.parametrize("count", [1, 2, 7, 20, 100, 101])
@pytest.mark.parametrize("ratio", [0.01, 0.07, 0.5, 0.95, 0.99, 1])
def test_a_percentile_of_a_log_is_that_of_a_histogram(count: int, ratio: float) -> None:
    frame = pl.DataFrame({"seconds": [float(value) for value in range(1, count + 1)]})
    found = frame.select(nearest_rank(pl.col("seconds"), ratio)).item()
    assert found == percentile(dict.fromkeys(frame["seconds"], 1), ratio)


def test_counts_have_whole_numbers_on_their_axis() -> None:
    points = [Point(START + s, 1.0, 1, 5, 0, {10.0: 5}) for s in range(1, 5)]
    for figure in (log_pictures.draw_users(points),):
        ticks = figure.axes[0].yaxis.get_major_locator()()
        assert all(float(tick).is_integer() for tick in ticks)


def test_one_request_of_another_century_does_not_fill_the_memory(log: pl.DataFrame) -> None:
    for far in (-4_000_000_000, 4_000_000_000):
        first = log[:1].with_columns(start_us=pl.lit(far * 10**6))
        with pytest.raises(UsageError, match="40 days"):
            throughput(pl.concat([first, log]))
