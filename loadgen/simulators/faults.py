"""The fault schedule of the alarm study, as times in model seconds.

Three faults in a row: 5 minutes after the start, 60 s later, and 60 s later again; the row repeats
5 minutes after its third fault. An outage lasts from the fault until it is detected, U(26, 34) s
and 2 s for each receiver that is checked before this one, then 1 s until an operator reacts and
0.5 s to recover. Source: jtpgames/Locust_Scripts, ARS_simulation.py.
"""

import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Outage:
    """A fault at `start` and the recovery from it at `end`, in model seconds."""

    start: float
    end: float


@dataclass(frozen=True)
class FaultSettings:
    """Quantities of the schedule, in model seconds. `checklist_position` counts from 1."""

    first_after: float = 300.0
    apart: float = 60.0
    in_a_row: int = 3
    detection_min: float = 26.0
    detection_max: float = 34.0
    checklist_position: int = 2
    check: float = 2.0
    operator_reaction: float = 1.0
    recovery: float = 0.5


class FaultSchedule:
    """Outages in order; `generator` draws one detection time for each."""

    def __init__(self, generator: random.Random, settings: FaultSettings | None = None) -> None:
        self._settings = settings or FaultSettings()
        self._generator = generator
        self._coming = self._generate()
        self._next = next(self._coming)
        self.outages: list[Outage] = []
        """Outages that began before the latest time asked for."""

    def outage_at(self, time: float) -> Outage | None:
        """Return the outage under way at `time` in model seconds; ask in ascending order."""
        while self._next.start <= time:
            self.outages.append(self._next)
            self._next = next(self._coming)
        last = self.outages[-1] if self.outages else None
        return last if last is not None and time < last.end else None

    def _generate(self) -> Iterator[Outage]:
        settings, start = self._settings, 0.0
        for number in itertools.count():
            first_of_row = number % settings.in_a_row == 0
            start += settings.first_after if first_of_row else settings.apart
            yield Outage(start, start + self._outage_seconds())

    def _outage_seconds(self) -> float:
        settings = self._settings
        detection = self._generator.uniform(settings.detection_min, settings.detection_max)
        checks = settings.check * (settings.checklist_position - 1)
        return detection + checks + settings.operator_reaction + settings.recovery
