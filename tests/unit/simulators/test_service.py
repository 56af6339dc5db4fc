"""The laws of service, in a virtual time."""

import asyncio
import random

import pytest

from loadgen.simulators.service import (
    ALARM_COEFFICIENTS,
    TEASTORE_COEFFICIENTS,
    LockLaw,
    RegressionLaw,
    constant,
    uniform,
)


class VirtualClock:
    """Model time that moves only when everybody sleeps."""

    def __init__(self) -> None:
        self.time = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Event]] = []

    def now(self) -> float:
        return self.time

    async def sleep_until(self, model_time: float) -> None:
        woken = asyncio.Event()
        self._sleepers.append((model_time, len(self._sleepers), woken))
        await woken.wait()

    def advance(self) -> None:
        """Go to the earliest sleeper's time and wake it."""
        sleeper = min(self._sleepers)
        self._sleepers.remove(sleeper)
        self.time = max(self.time, sleeper[0])
        sleeper[2].set()

    @property
    def asleep(self) -> int:
        return len(self._sleepers)


async def _finishes(law: RegressionLaw, arrivals: list[tuple[float, str]]) -> list[float]:
    clock = VirtualClock()

    async def request(at: float, kind: str) -> float:
        await clock.sleep_until(at)
        await law.serve(kind, clock)
        return clock.now() - at

    tasks = [asyncio.create_task(request(at, kind)) for at, kind in arrivals]
    while not all(task.done() for task in tasks):
        for _ in range(5):
            await asyncio.sleep(0)
        if clock.asleep:
            clock.advance()
    return [task.result() for task in tasks]


def test_one_lock_serves_first_come_first_served() -> None:
    law = LockLaw(constant(2.0))
    assert [law.finish("/", at) for at in (0.0, 0.5, 10.0)] == [2.0, 4.0, 12.0]


def test_one_lock_is_shared_by_all_kinds_and_a_lock_by_kind_is_not() -> None:
    shared, by_kind = LockLaw(constant(2.0)), LockLaw(constant(2.0), by_kind=True)
    assert [shared.finish(kind, 0.0) for kind in "aab"] == [2.0, 4.0, 6.0]
    assert [by_kind.finish(kind, 0.0) for kind in "aab"] == [2.0, 4.0, 2.0]


def test_uniform_service_times_repeat_with_the_seed_and_stay_in_their_range() -> None:
    times = [uniform(0.2, 2.0, random.Random("42 service"))() for _ in range(2)]
    assert times[0] == times[1]
    draw = uniform(0.2, 2.0, random.Random(1))
    assert all(0.2 <= draw() <= 2.0 for _ in range(1000))


def test_regressions_give_the_published_seconds() -> None:
    assert ALARM_COEFFICIENTS.seconds(2, 3, 9) == pytest.approx(
        0.0348636 - 0.0103978 * 2 + 0.0621372 * 3 + 4.64336e-5 * 9
    )
    assert TEASTORE_COEFFICIENTS.seconds(2, 3, 7) == pytest.approx(
        0.00267605 - 4.63724e-5 * 2 + 0.00162025 * 3 + 6.26674e-4 * 7
    )
    assert ALARM_COEFFICIENTS.seconds(100, 0, 9) == 0.0


def test_lone_request_takes_the_regressions_intercept_and_kind() -> None:
    law = RegressionLaw(TEASTORE_COEFFICIENTS, {"Profile": 7})
    (seconds,) = asyncio.run(_finishes(law, [(0.0, "Profile")]))
    assert seconds == pytest.approx(0.00267605 + 6.26674e-4 * 7)


def test_request_is_longer_for_those_that_finish_during_it() -> None:
    law = RegressionLaw(TEASTORE_COEFFICIENTS, {"Index": 0, "Profile": 7})
    index, profile = asyncio.run(_finishes(law, [(0.0, "Index"), (0.001, "Profile")]))
    assert index == pytest.approx(0.00267605)
    assert profile == pytest.approx(TEASTORE_COEFFICIENTS.seconds(1, 1, 7))
