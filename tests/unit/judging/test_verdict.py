import pytest

from loadgen.judging.slo_judge import SloResult
from loadgen.judging.verdict import Verdict, decide


def slo(held: bool | None) -> SloResult:
    return SloResult(slo="x", held=held, measured=1, limit=1, unit="s", sentence="x")


@pytest.mark.parametrize(
    ("interrupted", "faults", "invalid", "held", "verdict"),
    [
        (True, ["x"], ["x"], False, "interrupted"),
        (False, ["x"], ["x"], False, "error"),
        (False, [], ["x"], False, "invalid"),
        (False, [], ["x"], True, "invalid"),
        (False, [], [], False, "failed"),
        (False, [], [], None, "failed"),
        (False, [], [], True, "passed"),
    ],
)
def test_the_strongest_verdict_wins(
    interrupted: bool,
    faults: list[str],
    invalid: list[str],
    held: bool | None,
    verdict: Verdict,
) -> None:
    decided = decide(interrupted=interrupted, faults=faults, invalid=invalid, slos=[slo(held)])

    assert decided == verdict
