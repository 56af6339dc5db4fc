import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from loadgen.node.request_log import RequestLog
from loadgen.results.evaluation import log_pictures
from loadgen.results.evaluation.log_pictures import failures_by_cause, slowest
from loadgen.results.evaluation.pictures import save_picture
from loadgen.results.request_log import merge_log, read_log


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
