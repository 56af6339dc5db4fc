"""The verdict: first whether a run can be believed, then whether its SLOs held."""

from collections.abc import Iterable, Sequence
from typing import Literal

from loadgen.judging.slo_judge import SloResult, all_held

Verdict = Literal["passed", "failed", "invalid", "error", "interrupted"]


EXIT_CODES: dict[Verdict, int] = {
    "passed": 0,
    "failed": 1,
    "invalid": 3,
    "error": 4,
    "interrupted": 130,
}


def decide(
    *,
    interrupted: bool,
    faults: Iterable[str],
    invalid: Iterable[str],
    slos: Sequence[SloResult],
) -> Verdict:
    """Return the strongest that applies: interrupted, error, invalid, failed, passed.

    `faults` are machines and processes that failed, `invalid` the reasons not to believe the run.
    """
    if interrupted:
        return "interrupted"
    if any(faults):
        return "error"
    if any(invalid):
        return "invalid"
    return "passed" if all_held(slos) else "failed"
