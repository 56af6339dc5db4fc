from dataclasses import replace

import pytest

from loadgen.judging.generator_checks import ClockJumps, Stalls
from loadgen.judging.loss_checks import (
    CutRequests,
    LostSamples,
    LostWorkers,
    NamesBeyond,
    RefusedValues,
)
from loadgen.shared.snapshot import BEYOND_BOUNDS, Snapshot
from tests.unit.samples import START, counted, entry, found, snapshot, worker


def test_a_lost_worker_is_bounded_by_its_fastest_second() -> None:
    seen = [
        snapshot(second, workers=[worker(sent=sent)])
        for second, sent in ((1, 10), (2, 60), (3, 70))
    ]
    gone = replace(snapshot(5, workers=[worker(sent=70, state="missing")]), workers_lost=1)
    (reason,) = found(LostWorkers(), *seen, gone)
    # 50 a second, silent for 2 s, and 2 s in which a report and a snapshot are on their way
    assert "at most 200 requests up to that time, and 50 more for each second" in reason.sentence


def test_a_lost_worker_that_never_reported_has_no_bound() -> None:
    seen = snapshot(1, workers=[worker(sent=0)])
    gone = replace(snapshot(2, workers=[]), workers_lost=1)
    (reason,) = found(LostWorkers(), seen, gone)
    assert "how many is not known" in reason.sentence


def ended(requests: int, cut: int) -> list[Snapshot]:
    """1,000 requests at the end of the load; then these, and so many cut."""
    stopping = replace(counted(1000), load_stopped_at=START)
    workers = [replace(worker(sent=requests), requests_cut=cut)]
    return [
        stopping,
        replace(counted(requests), workers=workers, final=True, load_stopped_at=START),
    ]


@pytest.mark.parametrize(("requests", "cut"), [(1000, 1), (1100, 12)])
def test_requests_cut_are_said_when_many_or_when_nothing_was_answered(
    requests: int, cut: int
) -> None:
    (reason,) = found(CutRequests(), *ended(requests, cut))
    assert f"{cut} requests got no answer within the stop timeout" in reason.sentence
    assert ("no other request was answered either" in reason.sentence) == (requests == 1000)


@pytest.mark.parametrize(("requests", "cut"), [(1000, 0), (1100, 11)])
def test_a_few_requests_cut_among_many_answered_are_let_pass(requests: int, cut: int) -> None:
    assert found(CutRequests(), *ended(requests, cut)) == []


def stalled(seconds: float) -> Snapshot:
    return snapshot(3, workers=[replace(worker(), stalled_seconds=seconds)])


def test_a_stalled_event_loop_is_said_with_its_length() -> None:
    (reason,) = found(Stalls(), stalled(0.2), stalled(2.5), stalled(0.1))
    assert "was blocked for 2.5 s" in reason.sentence
    assert found(Stalls(), stalled(1.0)) == []


@pytest.mark.parametrize(("jump", "said"), [(60.0, "+60.0"), (-3.0, "-3.0"), (0.4, None)])
def test_a_clock_that_is_set_under_load_is_said(jump: float, said: str | None) -> None:
    seconds = (1.0, 2.0, 3.0 + jump, 4.0 + jump)
    seen = [
        replace(snapshot(second), monotonic_seconds=float(number))
        for number, second in enumerate(seconds)
    ]
    reasons = found(ClockJumps(), *seen)
    assert [f"jumped by {said} s" in reason.sentence for reason in reasons] == [True] * bool(said)


def test_workers_that_owe_their_last_statistics_are_said() -> None:
    last = replace(counted(100), workers=[worker()], final=True, workers_unfinished=2)
    (reason,) = found(LostSamples(), last)
    assert "2 of the workers had not sent their last statistics" in reason.sentence
    assert reason.sentence.endswith("See the logs of their hosts")


def test_users_that_keep_a_worker_from_its_last_statistics_are_said() -> None:
    waiting = replace(worker(), id="w7", held_up="4 of its users, one in on_stop (my.py, line 18)")
    last = replace(counted(100), workers=[waiting], final=True, workers_unfinished=1)
    (reason,) = found(LostSamples(), last)
    said = (
        "Worker w7 waits for 4 of its users, one in on_stop (my.py, line 18). "
        "Make sure that this code"
    )
    assert said in reason.sentence


@pytest.mark.parametrize(
    ("kind", "count", "invalid"),
    [
        ("time_negative", 11, True),
        ("time_negative", 10, False),
        ("time_refused", 500, True),
        ("length_refused", 1000, False),
        ("text_escaped", 1000, False),
        ("of another release", 1, False),
    ],
)
def test_values_that_were_refused_are_said_and_many_wrong_times_are_too_many(
    kind: str, count: int, invalid: bool
) -> None:
    (reason,) = found(RefusedValues(), replace(counted(1000), refused={kind: count}))
    assert reason.invalidates is invalid
    assert f" {count:,} " in reason.sentence


def test_names_that_do_not_add_up_to_the_total_are_said() -> None:
    last = replace(counted(480), workers=[], final=True, requests_total=560)
    (reason,) = found(LostSamples(), last)
    assert "add up to 480, but Locust's total is 560" in reason.sentence
    assert found(LostSamples(), replace(last, requests_total=480)) == []


def test_names_beyond_what_is_kept_are_a_note() -> None:
    assert found(NamesBeyond(), counted(3)) == []
    rows = [entry(), entry(name=BEYOND_BOUNDS, method="", response_times={5.0: 1200})]
    (reason,) = found(NamesBeyond(), snapshot(2, entries=rows))
    assert "1,200 requests had names beyond the limit" in reason.sentence
    assert not reason.invalidates
