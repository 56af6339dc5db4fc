"""Laws of service: when a request that arrives now is finished, in model seconds.

*Lock laws* know the finish at arrival: requests queue for a lock and each holds it for its service
time, first come, first served. The queue is arithmetic, not a real lock, so a timer that fires late
never lowers the capacity. *Regression laws* depend on what happens meanwhile: `PR1`, requests in
flight at the start, and `PR3`, requests that finished during this one.
"""

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


class Waiter(Protocol):
    """The part of a clock that a law needs."""

    def now(self) -> float:
        """Model seconds."""
        ...

    async def sleep_until(self, model_time: float) -> None:
        """Return when model time has reached `model_time`."""
        ...


class Law(Protocol):
    """How long requests take."""

    async def serve(self, kind: str, clock: Waiter) -> None:
        """Return when a request of this kind, arriving now, is finished."""
        ...


class LockLaw:
    """One lock, or one lock a kind; `service_time` gives the model seconds that a request holds it.

    The alarm study's first system is `LockLaw(lambda: 2.0)`; its second, with a lock for each kind
    and U(0.2, 2) s, is an M/G/c queue with c the number of kinds.
    """

    def __init__(self, service_time: Callable[[], float], *, by_kind: bool = False) -> None:
        self._service_time = service_time
        self._by_kind = by_kind
        self._free_at: dict[str, float] = defaultdict(float)

    def finish(self, kind: str, arrival: float) -> float:
        """Admit a request that arrives at `arrival` and return its finish, in model seconds."""
        lock = kind if self._by_kind else ""
        finish = max(arrival, self._free_at[lock]) + self._service_time()
        self._free_at[lock] = finish
        return finish

    async def serve(self, kind: str, clock: Waiter) -> None:
        """Return when a request of this kind, arriving now, is finished."""
        await clock.sleep_until(self.finish(kind, clock.now()))


@dataclass(frozen=True)
class Coefficients:
    """A linear model of a request's time: seconds, and seconds for each unit of its regressors."""

    intercept: float
    in_flight: float
    finished: float
    kind: float

    def seconds(self, in_flight: int, finished: int, kind: int) -> float:
        """Predicted seconds, never below 0."""
        predicted = (
            self.intercept
            + self.in_flight * in_flight
            + self.finished * finished
            + self.kind * kind
        )
        return max(0.0, predicted)


# Published with jtpgames/Locust_Scripts: regression on production logs of an alarm receiving centre
# (MASCOTS 2022) and on Kieker logs of TeaStore.
ALARM_COEFFICIENTS = Coefficients(0.0348636, -0.0103978, 0.0621372, 4.64336e-5)
TEASTORE_COEFFICIENTS = Coefficients(0.00267605, -4.63724e-5, 0.00162025, 6.26674e-4)


@dataclass
class RegressionLaw:
    """Each request takes what the regression predicts for what really happened around it.

    PR3 grows while a request is under way, so the prediction is renewed until its time has passed.
    `kind_numbers` maps a kind to its number in the regression.
    """

    coefficients: Coefficients
    kind_numbers: dict[str, int]
    _in_flight: int = field(default=0, init=False)
    _finished: int = field(default=0, init=False)

    async def serve(self, kind: str, clock: Waiter) -> None:
        """Return when a request of this kind, arriving now, is finished. KeyError: unknown kind."""
        start, number = clock.now(), self.kind_numbers[kind]
        in_flight, finished_before = self._in_flight, self._finished
        self._in_flight += 1
        try:
            while True:
                finished = self._finished - finished_before
                due = start + self.coefficients.seconds(in_flight, finished, number)
                if due <= clock.now():
                    return
                await clock.sleep_until(due)
        finally:
            self._in_flight -= 1
            self._finished += 1


def uniform(low: float, high: float, generator: random.Random) -> Callable[[], float]:
    """Service times drawn from U(low, high) seconds."""
    return lambda: generator.uniform(low, high)


def constant(seconds: float) -> Callable[[], float]:
    """Service times of the same length."""
    return lambda: seconds
