"""Why a run is invalid, in one sentence; see `operations.validity`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a run is invalid. `kind` is the check's name; `at` is Unix seconds."""

    kind: str
    at: float
    sentence: str
