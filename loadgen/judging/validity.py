"""Whether a run's measurement can be trusted, from the master's snapshots alone.

Each *check* takes every snapshot in order and returns reasons: when, where and how much. One
reason makes the run invalid. Nothing here reads a clock.
"""

from collections.abc import Sequence

from loadgen.judging.check import Check, Reason
from loadgen.judging.exception_checks import Exceptions, ListenerExceptions, StopExceptions
from loadgen.judging.generator_checks import (
    ClockJumps,
    ClockOffset,
    Exhausted,
    GeneratorCpu,
    Mismatch,
    Stalls,
)
from loadgen.judging.loss_checks import (
    ArrivalRate,
    CutRequests,
    LostSamples,
    LostWorkers,
    NamesBeyond,
    RefusedValues,
)
from loadgen.shared.snapshot import Snapshot


class Validity:
    """Every check of a run at once. An epoch that a warm-up ended keeps what was found before."""

    def __init__(self, checks: Sequence[Check] | None = None) -> None:
        self._checks = default_checks() if checks is None else list(checks)

    def add(self, snapshot: Snapshot) -> None:
        """Take the next snapshot; idle time is not judged."""
        if snapshot.test_started_at is not None:
            for check in self._checks:
                check.add(snapshot)

    def add_parting(self, snapshot: Snapshot) -> None:
        """Take what the master says while it ends, when nothing but its listeners is at work."""
        for check in self._checks:
            if isinstance(check, ListenerExceptions):
                check.add(snapshot)

    def reasons(self) -> list[Reason]:
        """Return why the run is invalid so far, in order of time."""
        return [reason for reason in self._found() if reason.invalidates]

    def notes(self) -> list[Reason]:
        """Return the notes about the run, which don't make it invalid."""
        return [reason for reason in self._found() if not reason.invalidates]

    def _found(self) -> list[Reason]:
        found = [reason for check in self._checks for reason in check.reasons()]
        return sorted(found, key=lambda reason: reason.at)


def default_checks(
    release: str | None = None,
    locust_version: str | None = None,
    arrival_rate_per_second: float | None = None,
) -> list[Check]:
    """Return the checks of a run; None for what is not known or not asked for."""
    checks: list[Check] = [
        GeneratorCpu(),
        LostWorkers(),
        LostSamples(),
        RefusedValues(),
        NamesBeyond(),
        CutRequests(),
        Exceptions(),
        ListenerExceptions(),
        StopExceptions(),
        Stalls(),
        ClockJumps(),
        ClockOffset(),
        Mismatch(release, locust_version),
        Exhausted(),
    ]
    if arrival_rate_per_second is not None:
        checks.append(ArrivalRate(arrival_rate_per_second))
    return checks
