"""The recorder of fault cases derives losses itself, and lets no silent one pass."""

import subprocess
from typing import Any

import pytest

from tests.faults.record import Outcome, Row, hung, row_path
from tests.faults.table import kept, silent, tally


def summary(requests: int, *kinds: str, verdict: str = "invalid", failures: int = 0) -> Any:
    return {
        "requests": requests,
        "failures": failures,
        "verdict": verdict,
        "reasons": [f"because of {kind}" for kind in kinds],
        "reason_kinds": list(kinds),
    }


@pytest.fixture
def recorder() -> Outcome:
    return Outcome(Row("Part", "something breaks", "tests/none.py::test", 0.0))


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        (("lost_worker",), True),
        (("worker 1",), True),
        (("fault", "generator_cpu"), True),
        (("generator_cpu",), False),
        (("clock_jump", "exporter"), False),
    ],
)
def test_a_loss_counts_as_said_when_a_reason_speaks_of_it(
    recorder: Outcome, kinds: tuple[str, ...], said: bool
) -> None:
    recorder("seen", summary=summary(90, *kinds), received=100)
    assert (recorder.row.samples_lost, recorder.row.said) == (10, said)
    assert silent(recorder.row) == (not said)


def test_a_run_that_passes_and_lost_requests_is_silent(recorder: Outcome) -> None:
    recorder("seen", summary=summary(90, verdict="passed"), received=100)
    assert silent(recorder.row)


def test_without_a_loss_any_reason_is_said_and_none_is_needed_to_pass(recorder: Outcome) -> None:
    recorder("seen", summary=summary(100, "generator_cpu"), received=100)
    assert recorder.row.said
    recorder("seen", summary=summary(100, verdict="passed"), received=100)
    assert recorder.row.said is None


def test_more_requests_than_were_made_and_a_verdict_without_reason_are_faults(
    recorder: Outcome,
) -> None:
    with pytest.raises(AssertionError, match="5 requests too many"):
        recorder("seen", summary=summary(105, "lost_worker"), received=100)
    recorder("seen", summary=summary(105, "lost_worker", failures=5), received=100)
    with pytest.raises(AssertionError, match="no reason"):
        recorder("seen", summary=summary(100), received=100)


@pytest.mark.parametrize(
    ("lost", "said", "left", "passed"),
    [(0, None, 0, True), (3, True, 0, True), (3, False, 0, False), (0, None, 1, False)],
)
def test_a_silent_loss_or_a_process_left_fails_the_case(
    recorder: Outcome, lost: int, said: bool | None, left: int, passed: bool
) -> None:
    recorder.row.samples_lost, recorder.row.said = lost, said
    recorder.row.processes_left = left
    recorder.keep(passed=True)
    try:
        row = kept(recorder.row)
    finally:
        row_path(recorder.row.test).unlink()
    assert row is not None
    assert row.passed == passed


def test_the_tally_counts_what_must_be_zero() -> None:
    rows = [
        Row("P", "a", "a", 0.0, passed=True),
        Row("P", "b", "b", 0.0, samples_lost=4, said=False),
        Row("P", "c", "c", 0.0, hung=True, processes_left=2),
    ]
    assert tally(rows) == (
        "**3 cases: 2 failed, 1 runs did not end, 2 processes were left, "
        "1 losses were not reported.**"
    )


def test_a_hard_timeout_counts_as_hung() -> None:
    assert hung(subprocess.TimeoutExpired("loadgen", 120))
    assert not hung(AssertionError("no lost worker within 60 s"))
    assert not hung(None)
