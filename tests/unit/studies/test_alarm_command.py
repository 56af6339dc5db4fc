"""What counts as reproducing the study."""

import argparse
from dataclasses import replace
from pathlib import Path

import pytest

from loadgen.studies.alarm.command import Spread, deviations, report, specification, spreads
from loadgen.studies.alarm.figures import PUBLISHED
from loadgen.studies.alarm.virtual_time import StudySettings, simulate

SPREADS = [Spread("above_average_limit", 24, 26), Spread("above_maximum_limit", 15, 25)]


def test_published_figures_deviate_from_themselves_in_nothing() -> None:
    assert deviations(PUBLISHED, SPREADS, PUBLISHED, 1) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"median": 2.3}, "median is 2.300 s, more than 10% from 2.009 s"),
        ({"mean": 2.4}, "mean is 2.400 s, more than 10% from 2.78 s"),
        ({"above_average_limit": 27}, "above average limit is 27, outside 24 to 26"),
        ({"above_maximum_limit": 14}, "above maximum limit is 14, outside 15 to 25"),
    ],
)
def test_each_figure_that_is_off_is_told(change: dict[str, float], sentence: str) -> None:
    changed = replace(PUBLISHED, **change)  # type: ignore[arg-type]
    (told,) = deviations(changed, SPREADS, changed, 60)
    assert told.startswith(sentence)


def test_a_slow_machine_is_named_where_the_speed_makes_it_count() -> None:
    slow = replace(PUBLISHED, median=2.24)
    (told,) = deviations(slow, SPREADS, slow, 60)
    assert told.endswith(
        "at --speed 60 the 4.0 ms that a request takes on this machine count as 0.240 s: use a "
        "quieter machine or a lower --speed"
    )
    (in_real_time,) = deviations(slow, SPREADS, slow, 1)
    assert "--speed" not in in_real_time


def test_spread_over_seeds_holds_the_published_counts() -> None:
    assert all(spread.holds(PUBLISHED) for spread in spreads(StudySettings(overhead=0.008)))


def test_scaled_run_shortens_every_time_of_the_device() -> None:
    options = argparse.Namespace(speed=60.0, seed=7, checklist_position=1, web_port=None)
    run = specification(options)
    assert (run.users, run.workers, run.run_time) == (1, 1, 64)
    assert run.environment == {"ALARM_INTERVAL": f"{1 / 60}", "ALARM_RETRY_DELAY": f"{1 / 60}"}
    assert run.simulator_arguments == (
        "--faults",
        "--seed=7",
        "--speed=60.0",
        "--checklist-position=1",
    )
    assert run.request_log is not None


def test_report_keeps_table_and_pictures_with_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    responses = simulate(42, StudySettings(overhead=0.008))
    assert report(responses, SPREADS, tmp_path, 60) == []
    text = (tmp_path / "alarm-study.txt").read_text()
    assert "The published hour is reproduced." in text
    assert text in capsys.readouterr().out
    assert len(list(tmp_path.iterdir())) == 4


def test_stall_of_the_machine_is_told_and_not_taken_for_an_outage(tmp_path: Path) -> None:
    responses = simulate(42, StudySettings(overhead=0.008))
    stalled = [*responses[:-1], replace(responses[-1], seconds=11.0)]
    exact = [Spread("above_average_limit", 25, 25)]
    assert report(stalled, exact, tmp_path, 60) == []
    assert (
        "is not the length of an outage: a machine stalled"
        in (tmp_path / "alarm-study.txt").read_text()
    )
