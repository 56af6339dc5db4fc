"""The search against targets whose capacity is known by construction, as discrete events."""

import random
from collections.abc import Callable
from heapq import heappop, heappush

import pytest

from loadgen.runs.capacity_search import TrialOutcome, find_capacity, find_published
from loadgen.simulators.service import LockLaw, constant, uniform
from loadgen.specification.experiment import SearchSettings

SEEDS = range(10)
Law = Callable[[int, random.Random], float]


def lock(users: int, generator: random.Random) -> float:
    """Longest response of a closed loop on one lock of 2 s; each user waits about 1 s between."""
    waiting = [(generator.uniform(0, 2), user) for user in range(users)]
    law, longest = LockLaw(constant(2.0)), 0.0
    for finished in range(60 * users):
        arrival, user = heappop(waiting)
        finish = law.finish("alarm", arrival)
        if finished > 20 * users:
            longest = max(longest, finish - arrival)
        heappush(waiting, (finish + generator.uniform(0.9, 1.1), user))
    return longest


def uniform_lock(rate_per_minute: int, generator: random.Random) -> float:
    """Average response of Poisson arrivals on one lock of U(0.2, 2) s (M/G/1)."""
    law, now, total, count = LockLaw(uniform(0.2, 2, generator)), 0.0, 0.0, 20_000
    for _ in range(count):
        now += generator.expovariate(rate_per_minute / 60)
        total += law.finish("alarm", now) - now
    return total / count


def regression(rate: int, generator: random.Random) -> float:
    """Average response of t = 0.2 + 0.005 PR3, PR3 the requests that finish meanwhile."""
    # Each finish delays all that run by the same, so that their order stays: what is kept of one
    # is its end less the delay of all finishes until now.
    running: list[tuple[float, float]] = []
    delay, total, count, end = 0.0, 0.0, 0, 30.0
    arrivals = ((i + generator.uniform(-0.3, 0.3)) / rate for i in range(int(end * rate)))
    for arrival in (*arrivals, end + 5):
        while running and running[0][0] + delay <= arrival:
            due, start = heappop(running)
            if start > 10:
                total, count = total + due + delay - start, count + 1
            delay += 0.005
        heappush(running, (arrival + 0.2 - delay, arrival))
    late = sum(end + 5 - start for _, start in running if start < end)
    return (total + late) / (count + len(running))


# A user's cycle on a saturated lock is 2 s for each user, less its own wait: 2n - 0.9 <= 30.
LOCK_CAPACITY = 15
# Pollaczek and Khinchine: t = m + r v / (2 (1 - r m)) = 4 s, E[S] = m = 1.1, E[S^2] = v = 1.48.
UNIFORM_CAPACITY = 60 * 2 * 2.9 / (1.48 + 2 * 1.1 * 2.9)
# In a steady state PR3 is rate * t, so t = 0.2 / (1 - 0.005 rate) = 0.8 s.
REGRESSION_CAPACITY = 150


def measuring(law: Law, limit: float, seed: int, outlier: int) -> Callable[[int], TrialOutcome]:
    generator, trials = random.Random(seed), iter(range(1, 10_000))

    def measure(load: int) -> TrialOutcome:
        value = law(load, generator) + (10 * limit if next(trials) == outlier else 0)
        return TrialOutcome(state="held" if value <= limit else "broke", average_seconds=value)

    return measure


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("law", "limit", "capacity"),
    [
        (lock, 30.0, LOCK_CAPACITY),
        (uniform_lock, 4.0, UNIFORM_CAPACITY),
        (regression, 0.8, REGRESSION_CAPACITY),
    ],
    ids=["lock", "uniform", "regression"],
)
def test_capacity_is_found_within_five_percent_in_spite_of_an_outlier(
    law: Law, limit: float, capacity: float, seed: int
) -> None:
    outlier = random.Random(seed).randint(1, 12)
    settings = SearchSettings(resolution_ratio=0.02, most=400)
    found = find_capacity(measuring(law, limit, seed, outlier), settings)
    assert found.low is not None
    assert abs(found.low - capacity) <= 0.05 * capacity, found.sentence


def test_the_published_rule_ends_anywhere_on_the_same_target() -> None:
    ends = set()
    for seed in SEEDS:
        outlier = random.Random(seed).randint(1, 12)
        rule = find_published(measuring(regression, 0.8, seed, outlier), SearchSettings())
        ends.add(rule.first_broke)
    assert min(end or 0 for end in ends) < 0.5 * REGRESSION_CAPACITY
    assert len(ends) > 3
