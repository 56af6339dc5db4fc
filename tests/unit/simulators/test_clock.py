"""Model time against real time."""

import asyncio
import time

from loadgen.simulators.clock import ModelClock


def test_sleepers_wake_in_order_and_never_early() -> None:
    clock = ModelClock(speed=10.0)
    woken: list[tuple[float, float]] = []

    async def sleeper(due: float) -> None:
        # On a busy machine a sleeper may begin when it is due already.
        earliest = max(due, clock.now())
        await clock.sleep_until(due)
        woken.append((earliest, clock.now()))

    async def sleepers() -> None:
        clock.start()
        await asyncio.gather(*(sleeper(due) for due in (0.9, 0.3, 0.6, 0.0)))

    asyncio.run(sleepers())
    clock.close()
    assert woken == sorted(woken)
    assert all(now >= earliest for earliest, now in woken)


def test_sleep_is_finer_than_a_millisecond() -> None:
    clock = ModelClock()

    async def late() -> float:
        clock.start()
        due = clock.now() + 0.0004
        await clock.sleep_until(due)
        return clock.now() - due

    lateness = sorted(asyncio.run(late()) for _ in range(51))
    clock.close()
    assert lateness[0] >= 0
    # Few of them are in time on a busy machine, but none would be with asyncio's own timers.
    assert lateness[2] < 0.0006, "asyncio's own timers would be 0.6 ms late or more"


def test_clock_stands_at_zero_until_started_and_after_stop() -> None:
    clock = ModelClock()
    assert (clock.now(), clock.started) == (0.0, False)
    clock.start()
    time.sleep(0.001)
    assert clock.now() > 0
    clock.stop()
    assert (clock.now(), clock.started) == (0.0, False)
