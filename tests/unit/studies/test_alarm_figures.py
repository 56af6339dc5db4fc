"""The alarm study's figures, on logs whose answers are known."""

from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from loadgen.node.statistics.request_log_format import SCHEMA
from loadgen.results.evaluation.pictures import save_picture
from loadgen.shared.errors import UsageError
from loadgen.studies.alarm.figures import (
    PUBLISHED,
    PUBLISHED_SECONDS,
    AlarmResponse,
    describe,
    draw_study,
    evaluate,
    evaluate_log,
    stalls,
    study_responses,
    transactions,
    worst,
)


def _log(*rows: tuple[int, int | None, str, str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "start_us": start,
                "duration_us": duration,
                "method": method,
                "name": "alarm",
                "status": None,
                "error": error,
                "worker": "worker-1",
            }
            for start, duration, method, error in rows
        ],
        schema=SCHEMA,
    )


RESPONSES = [
    AlarmResponse(float(at), seconds) for at, seconds in enumerate([2.0, 2.1, 11.0, 35.0, 2.2])
]


def test_transactions_are_the_acknowledged_alarms_by_trigger() -> None:
    log = _log(
        (5_000_000, 2_000_000, "ALARM", None),
        (1_000_000, 3_000_000, "ALARM", None),
        (2_000_000, 1_000, "POST", None),
        (6_000_000, 9_000_000, "ALARM", "not acknowledged"),
    )
    assert transactions(log) == [AlarmResponse(0.0, 3.0), AlarmResponse(4.0, 2.0)]


def test_outages_are_told_from_stalls_by_the_attempts_that_failed() -> None:
    log = _log(
        (0, 30_000_000, "ALARM", None),
        (5_000_000, 1_000, "POST", "500"),
        (40_000_000, 12_000_000, "ALARM", None),
        (60_000_000, 1_000, "POST", "500"),
    )
    assert [one.refused for one in transactions(log)] == [True, False]
    assert stalls(transactions(log)) == [AlarmResponse(40.0, 12.0)]


def test_time_scaled_runs_are_scaled_back() -> None:
    log = _log((0, 50_000, "ALARM", None), (1_000_000, 25_000, "ALARM", None))
    scaled = transactions(log, speed=40)
    assert [(one.at, one.seconds) for one in scaled] == [(0.0, 2.0), (40.0, 1.0)]


def test_an_alarm_after_the_published_hour_is_in_neither_table_and_said() -> None:
    late = int((PUBLISHED_SECONDS + 1) * 1e6)
    log = _log(
        (0, 2_000_000, "ALARM", None),
        (5_000_000, 4_000_000, "ALARM", None),
        (late, 9_000_000, "ALARM", None),
    )
    responses, left_out = study_responses(log, speed=1.0)
    assert (len(responses), left_out) == (2, 1)
    _, text = evaluate_log(log, 1.0)
    assert describe(evaluate(responses), responses) in text
    assert "1 alarms were triggered after" in text


def test_log_without_transactions_is_refused() -> None:
    with pytest.raises(UsageError, match="no rows with the method ALARM"):
        transactions(_log((0, 1, "POST", None)))


def test_figures_count_what_is_above_each_limit() -> None:
    figures = evaluate(RESPONSES)
    assert (figures.responses, figures.minimum, figures.median) == (5, 2.0, 2.2)
    assert figures.mean == pytest.approx(52.3 / 5)
    assert (figures.maximum, figures.above_average_limit, figures.above_maximum_limit) == (35, 2, 1)


@pytest.mark.parametrize(
    ("mean", "maximum", "complies"),
    [(10, 30, True), (10.1, 30, False), (10, 30.1, False), (11, 31, False)],
)
def test_compliance_needs_both_the_average_and_the_maximum(
    mean: float, maximum: float, complies: bool
) -> None:
    assert replace(PUBLISHED, mean=mean, maximum=maximum).complies is complies


def test_worst_are_the_slowest_in_the_order_of_their_triggers() -> None:
    assert worst(RESPONSES, 3) == [
        AlarmResponse(2, 11.0),
        AlarmResponse(3, 35.0),
        AlarmResponse(4, 2.2),
    ]


def test_description_has_both_columns_the_verdict_and_the_worst() -> None:
    text = describe(evaluate(RESPONSES), RESPONSES)
    assert "median                       2.200       2.009" in text
    assert "above maximum limit              1          20" in text
    assert "does not comply with average <= 10 s and maximum <= 30 s" in text
    assert "3.0      35.000" in text


def test_pictures_are_drawn_in_every_format(tmp_path: Path) -> None:
    paths = save_picture(draw_study(RESPONSES), tmp_path / "study")
    assert [path.suffix for path in paths] == [".svg", ".png", ".pdf"]
    assert all(path.stat().st_size > 2000 for path in paths)
    (axes,) = draw_study(RESPONSES).axes
    heights = {line.get_ydata()[0] for line in axes.lines}  # type: ignore[index]
    assert {2.0, 28.0, 36.0, 30.0} <= heights
