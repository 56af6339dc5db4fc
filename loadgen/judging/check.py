"""What a check of a run is, and why a run is invalid; see `loadgen.judging.validity`."""

from dataclasses import dataclass
from typing import Protocol

from loadgen.shared.snapshot import Snapshot

NOTE = "note"
"""Kind, in a summary, of what is said of a run that is to be believed."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a run is invalid. `kind` is the check's name; `at` is Unix seconds.

    A reason that does not invalidate the run is shown beside the verdict and changes nothing else.
    """

    kind: str
    at: float
    sentence: str
    invalidates: bool = True


class Check(Protocol):
    """One way in which a measurement goes wrong."""

    def add(self, snapshot: Snapshot) -> None:
        """Take the next snapshot."""
        ...

    def reasons(self) -> list[Reason]:
        """Return what was found so far."""
        ...
