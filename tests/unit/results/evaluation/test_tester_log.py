"""Logs of the alarm study's testers; the published ones are not part of the project."""

from pathlib import Path

import polars as pl
import pytest

from loadgen.results.evaluation.evaluation import EvaluationSettings, evaluate_tester_log
from loadgen.results.tester_log import (
    read_search,
    read_tester_logs,
    write_tester_log,
)
from loadgen.shared.errors import UsageError
from loadgen.shared.project import PROJECT
from loadgen.studies.alarm import figures

DATA = next(
    (p / "shared/data" for p in PROJECT.parents if (p / "shared/data").is_dir()), Path("absent")
)
HOUR, SEARCH = DATA / "study-hour-under-fault.log", DATA / "study-saturation-search.log"
SVG = EvaluationSettings(limits=(10.0, 30.0), formats=("svg",))
LINES = """\
[2020-06-30 15:20:00,147] host/INFO/locust.runners: Hatching
[2020-06-30 15:20:02,168] host/INFO/RepeatingHttpClient: Response time 2020 ms
[2020-06-30 15:20:03,170] host/INFO/RepeatingHttpClient: Sending to http://localhost:1337/
[2020-06-30 15:20:05,180] host/INFO/Tester: (POST /alarm) Response time 31009.5 ms
2020-06-30 15:20:06,000 host/INFO/Faults: faulted @2020-06-30 15:20:05,500
2020-06-30 15:20:40,000 host/INFO/Faults: recovered @now
[2020-06-30 15:20:41,000] host/INFO/Tester: (GET /) response time: 7 ms
no time here: Response time 5 ms
"""


def test_a_testers_log_gives_ends_kinds_and_faults(tmp_path: Path) -> None:
    (tmp_path / "tester.log").write_text(LINES)
    log = read_tester_logs([tmp_path / "tester.log"])
    assert log.requests["name"].to_list() == ["POST /alarm", "response", "GET /"]
    assert log.requests["duration_us"].to_list() == [31_009_500, 2_020_000, 7_000]
    ends = (log.requests["start_us"] + log.requests["duration_us"]).to_list()
    assert (ends[0] - ends[1]) / 1e6 == pytest.approx(3.012)
    assert (log.faulted[0] * 1e6, len(log.recovered)) == (ends[1] + 3_332_000, 1)


def test_several_logs_are_one(tmp_path: Path) -> None:
    for name in ("a.log", "b.log"):
        (tmp_path / name).write_text(LINES)
    log = read_tester_logs([tmp_path / "a.log", tmp_path / "b.log"])
    assert (log.requests.height, len(log.faulted)) == (6, 2)
    said = evaluate_tester_log(log, tmp_path / "out", SVG, [figures.evaluate_log])
    assert said.startswith("6 requests, 0 failed\n2 above 10 s\n2 above 30 s\n2 faults, 2 recover")
    assert {"alarm-study.svg", "response-times.svg"} <= {
        p.name for p in (tmp_path / "out").iterdir()
    }


@pytest.mark.parametrize("content", ["", "nothing\n", "Response time 5 ms\n", "\x00\xff"])
def test_a_file_that_is_no_testers_log_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "other.log").write_text(content)
    with pytest.raises(UsageError, match="contains no line with a time"):
        read_tester_logs([tmp_path / "other.log"])
    with pytest.raises(UsageError, match="can't be read"):
        read_tester_logs([tmp_path / "absent.log"])


def test_an_impossible_time_is_named(tmp_path: Path) -> None:
    (tmp_path / "t.log").write_text("[2020-13-99 15:20:02,168] Response time 5 ms\n")
    with pytest.raises(UsageError, match=r"2020-13-99 15:20:02,168\] is not a valid time"):
        read_tester_logs([tmp_path / "t.log"])


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "tester.log").write_text(LINES)
    log = read_tester_logs([tmp_path / "tester.log"]).requests
    write_tester_log(log, tmp_path / "again.log")
    again = read_tester_logs([tmp_path / "again.log"]).requests
    assert again["duration_us"].to_list() == [31_010_000, 2_020_000, 7_000]
    assert "(LOG POST /alarm) Response time 31010 ms" in (tmp_path / "again.log").read_text()


def test_an_executors_search_is_read_drawn_and_described(tmp_path: Path) -> None:
    lines = (
        "x Clients: 200: avg: 0.149s, max: 10.2s\nx --> True\nx Clients: 400: avg: 9s, max: 61s\n"
    )
    (tmp_path / "search.log").write_text(f"{lines}x --> False\n")
    steps = read_search(tmp_path / "search.log")
    assert [(s.clients, s.maximum, s.held) for s in steps] == [(200, 10.2, True), (400, 61, False)]
    assert "ended at 400 clients" in figures.describe_search(steps)
    assert len(figures.draw_search(steps).axes[0].lines) >= 3


@pytest.mark.skipif(not HOUR.is_file(), reason="the published hour is not on this machine")
def test_the_published_hour_gives_the_published_figures() -> None:
    log = read_tester_logs([HOUR]).requests
    found = figures.evaluate(figures.study_responses(log, 1.0)[0])
    rounded = [round(getattr(found, name), 3) for name in ("minimum", "median", "mean", "maximum")]
    assert (found.responses, *rounded) == (980, 2.005, 2.009, 2.780, 37.337)
    assert (found.above_average_limit, found.above_maximum_limit) == (25, 20)
    assert not log.filter(pl.col("error").is_not_null()).height


@pytest.mark.skipif(not SEARCH.is_file(), reason="the published search is not on this machine")
def test_the_published_search_ends_where_it_ended() -> None:
    steps = read_search(SEARCH)
    assert (steps[0].clients, steps[-1].clients, steps[-1].held) == (200, 1240, False)
    assert all(step.held for step in steps[:-1])
