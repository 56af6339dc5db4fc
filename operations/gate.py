"""The verdict: first whether a run can be believed, then whether its SLOs held."""

from collections.abc import Iterable, Sequence

from operations.judge import all_held
from operations.slo import Slo
from operations.summary import SloResult, Verdict

DEFAULT_SLOS = (Slo(measure="failure_ratio", at_most=0.01),)
"""What a run is held to that names no SLO of its own."""


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
