"""How a run ended: by whom, after how long, and whether that was as specified."""

from dataclasses import dataclass

from loadgen.shared.snapshot import EndedBy, Snapshot

TOLERANCE_SECONDS = 1.0
"""A run's end is noticed within this: snapshots come once a second."""
LEFT_SECONDS = 3.0
"""By how much the workers' own time may fall short of the master's before they have left early."""
_WORDS: dict[EndedBy, str] = {
    "web_ui": "stopped from the web UI",
    "request": "stopped by loadgen stop",
    "shape": "ended by its load shape",
    "workers": "ended because every worker quit (a task called runner.quit(), or the "
    "worker reached a limit of its own)",
    "locustfile": "ended by the locustfile, which stopped the runner",
}
BY_PEOPLE = ("web_ui", "request")


@dataclass(frozen=True, slots=True)
class Ending:
    """The end of a run's load. `planned_seconds` is None where nothing was specified."""

    by: EndedBy
    ran_seconds: float
    planned_seconds: float | None

    @property
    def is_early(self) -> bool:
        """Whether the load lasted shorter than specified."""
        planned = self.planned_seconds
        return planned is not None and self.ran_seconds < planned - TOLERANCE_SECONDS

    @property
    def is_interruption(self) -> bool:
        """Whether people ended it before its time, or before its load shape had come to an end."""
        return self.by in BY_PEOPLE and (self.is_early or self.planned_seconds is None)

    def sentence(self, words: str = "") -> str:
        """Say who ended the run after how long; `words` say who instead. Empty: as specified."""
        words = words or _WORDS.get(self.by, "")
        if not words:
            return ""
        of = f" of {self.planned_seconds:g} s" if self.planned_seconds is not None else ""
        return f"the run was {words} after {self.ran_seconds:.1f} s{of}"


def ending_of(last: Snapshot | None, planned_seconds: float | None) -> Ending | None:
    """Return how the load of a run ended, from its last snapshot; None when it never began."""
    if last is None or last.test_started_at is None:
        return None
    until = last.load_stopped_at or last.test_stopped_at or last.time
    ran = max(0.0, until - last.test_started_at)
    by_workers = (last.measured_until or until) - last.test_started_at
    if last.final and by_workers < ran - LEFT_SECONDS:
        # The master keeps running without load when tasks end their workers' runners.
        return Ending("workers", by_workers, planned_seconds)
    return Ending(last.ended_by, ran, planned_seconds)
