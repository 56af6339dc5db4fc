"""The alarm study without waiting: its client, service and faults on a clock that only jumps.

The very parts of the scenario and of the simulator run here, so what a real run should give, and
how much that spreads over seeds, is computed in milliseconds for an hour.
"""

import random
from dataclasses import dataclass

from loadgen.scenario.alarm import AlarmClient
from loadgen.simulators.faults import FaultSchedule, FaultSettings
from loadgen.simulators.service import LockLaw, constant
from loadgen.studies.alarm.figures import PUBLISHED_SECONDS, AlarmResponse


@dataclass(frozen=True)
class StudySettings:
    """One device against one receiver; times in seconds. Alarms are triggered for `duration`.

    The published hour is reproduced with the receiver first on the checklist: outages of 27.5 to
    35.5 s, which are the lines at 28 and 36 s in its plot. Second on the checklist, as the
    receiver's code has it later, outages are 2 s longer and more than 22 responses exceed 30 s.
    """

    duration: float = PUBLISHED_SECONDS
    interval: float = 1.0
    retry_delay: float = 1.0
    service_time: float = 2.0
    overhead: float = 0.0
    checklist_position: int = 1


class _Device:
    """A device and its receiver in virtual time."""

    def __init__(self, seed: int, settings: StudySettings) -> None:
        faults = FaultSettings(checklist_position=settings.checklist_position)
        self._schedule = FaultSchedule(random.Random(seed), faults)
        self._law = LockLaw(constant(settings.service_time))
        self._settings = settings
        self.now = 0.0
        self.client = AlarmClient(
            ["receiver"], self._attempt, settings.retry_delay, clock=self._clock, sleep=self.sleep
        )

    def _clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def _attempt(self, _host: str) -> bool:
        if self._schedule.outage_at(self.now):
            self.now += self._settings.overhead
            return False
        self.now = self._law.finish("/", self.now) + self._settings.overhead
        return True


def simulate(seed: int, settings: StudySettings | None = None) -> list[AlarmResponse]:
    """Return the responses of one run of the study."""
    settings = settings or StudySettings()
    device, responses = _Device(seed, settings), list[AlarmResponse]()
    while device.now < settings.duration:
        triggered = device.now
        delivery = device.client.deliver()
        responses.append(AlarmResponse(triggered, delivery.seconds, delivery.attempts > 1))
        device.sleep(settings.interval)
    return responses
