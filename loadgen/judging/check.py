"""What a check of a run is, and why a run is invalid; see `loadgen.judging.validity`."""

from dataclasses import dataclass
from typing import Protocol

from loadgen.shared.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a run is invalid. `kind` is the check's name; `at` is Unix seconds."""

    kind: str
    at: float
    sentence: str


class Check(Protocol):
    """One way in which a measurement goes wrong."""

    def add(self, snapshot: Snapshot) -> None:
        """Take the next snapshot."""
        ...

    def reasons(self) -> list[Reason]:
        """Return what was found so far."""
        ...
