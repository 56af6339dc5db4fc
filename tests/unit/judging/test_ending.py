"""A run that people ended early is interrupted; one that ended by its own plan says so."""

import dataclasses

import pytest

from loadgen.judging.ending import Ending, ending_of
from loadgen.judging.verdict import decide
from loadgen.shared.snapshot import EndedBy
from tests.unit.samples import START, snapshot


@pytest.mark.parametrize(
    ("by", "ran", "planned", "interrupted", "words"),
    [
        ("run_time", 60.0, 60.0, False, ""),
        ("web_ui", 8.0, 60.0, True, "stopped from the web UI after 8.0 s of 60 s"),
        ("request", 8.0, 60.0, True, "stopped by loadgen stop after 8.0 s of 60 s"),
        ("web_ui", 59.5, 60.0, False, "stopped from the web UI"),
        ("web_ui", 8.0, None, True, "stopped from the web UI after 8.0 s"),
        ("shape", 30.0, None, False, "ended by its load shape after 30.0 s"),
        ("shape", 30.0, 60.0, False, "ended by its load shape after 30.0 s of 60 s"),
        ("locustfile", 0.1, 8.0, False, "ended by the locustfile, which stopped the runner"),
        ("workers", 0.1, 8.0, False, "because every worker quit"),
        ("", 8.0, 60.0, False, ""),
    ],
)
def test_an_end_is_judged_by_who_caused_it_and_when(
    by: EndedBy, ran: float, planned: float | None, interrupted: bool, words: str
) -> None:
    ending = Ending(by, ran, planned)
    assert ending.is_interruption is interrupted
    assert words in ending.sentence()
    assert bool(words) is bool(ending.sentence())


def test_how_long_a_run_lasted_is_the_masters_measure() -> None:
    assert ending_of(None, 60) is None
    last = dataclasses.replace(snapshot(70), load_stopped_at=START + 8, ended_by="web_ui")
    assert ending_of(last, 60) == Ending("web_ui", 8.0, 60)
    assert ending_of(snapshot(5), 60) == Ending("", 5.0, 60)


def test_workers_that_left_early_ended_the_run_whatever_the_master_waited_for() -> None:
    last = dataclasses.replace(
        snapshot(31, final=True),
        load_stopped_at=START + 30,
        ended_by="run_time",
        measured_from=START,
        measured_seconds=1.6,
    )
    ending = ending_of(last, 30)
    assert ending
    assert ending.sentence().endswith("a limit of its own) after 1.6 s of 30 s")


@pytest.mark.parametrize(("code", "verdict"), [(None, "passed"), (0, "passed"), (42, "failed")])
def test_a_locustfiles_exit_code_is_honoured(code: int | None, verdict: str) -> None:
    found = decide(interrupted=False, faults=(), invalid=(), slos=(), exit_code=code)
    assert found == verdict
