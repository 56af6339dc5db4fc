"""The verdict: first whether a run can be believed, then whether its SLOs held."""

from collections.abc import Iterable, Sequence
from typing import Literal

from loadgen.judging.slo_judge import SloResult, all_held
from loadgen.shared import exit_codes

Verdict = Literal["passed", "failed", "invalid", "error", "interrupted"]


EXIT_CODES: dict[Verdict, int] = {
    "passed": exit_codes.PASSED,
    "failed": exit_codes.FAILED,
    "invalid": exit_codes.INVALID,
    "error": exit_codes.ERROR,
    "interrupted": exit_codes.INTERRUPTED,
}


def decide(
    *,
    interrupted: bool,
    faults: Iterable[str],
    invalid: Iterable[str],
    slos: Sequence[SloResult],
    exit_code: int | None = None,
) -> Verdict:
    """Return the strongest that applies: interrupted, error, invalid, failed, passed.

    `faults` are machines and processes that failed, `invalid` the reasons not to believe the run.
    `exit_code` is what the locustfile asked for, if it did; only 0 lets a run pass.
    """
    if interrupted:
        return "interrupted"
    if any(faults):
        return "error"
    if any(invalid):
        return "invalid"
    return "passed" if all_held(slos) and not exit_code else "failed"
