"""The fault schedule."""

import random

import pytest

from loadgen.simulators.faults import FaultSchedule, FaultSettings


def test_faults_come_three_in_a_row_and_again_five_minutes_later() -> None:
    schedule = FaultSchedule(random.Random(42))
    schedule.outage_at(900.0)
    assert [outage.start for outage in schedule.outages] == [300, 360, 420, 720, 780, 840]


def test_outages_last_as_published_for_the_second_receiver_of_the_checklist() -> None:
    schedule = FaultSchedule(random.Random(42))
    schedule.outage_at(100_000.0)
    lengths = [outage.end - outage.start for outage in schedule.outages]
    assert 29.5 <= min(lengths) < 30.0
    assert 37.0 < max(lengths) <= 37.5
    first_draw = random.Random(42).uniform(26, 34)
    assert lengths[0] == pytest.approx(first_draw + 2 * (2 - 1) + 1 + 0.5)


def test_first_receiver_of_the_checklist_is_checked_two_seconds_sooner() -> None:
    first, second = (
        FaultSchedule(random.Random(42), FaultSettings(checklist_position=position))
        for position in (1, 2)
    )
    first.outage_at(300.0)
    second.outage_at(300.0)
    assert second.outages[0].end - first.outages[0].end == pytest.approx(2.0)


def test_outage_is_under_way_from_its_start_until_before_its_end() -> None:
    schedule = FaultSchedule(random.Random(42))
    assert schedule.outage_at(299.999) is None
    outage = schedule.outage_at(300.0)
    assert outage is not None
    assert schedule.outage_at(outage.end - 0.001) == outage
    assert schedule.outage_at(outage.end) is None


def test_schedule_repeats_with_its_seed() -> None:
    outages = []
    for seed in (42, 42, 43):
        schedule = FaultSchedule(random.Random(seed))
        schedule.outage_at(3600.0)
        outages.append(schedule.outages)
    assert outages[0] == outages[1] != outages[2]
    assert len(outages[0]) == 24
