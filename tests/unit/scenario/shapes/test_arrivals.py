"""Arrivals of an open model, as arithmetic."""

import itertools
import random
from collections.abc import Iterator

import pytest

from loadgen.scenario.shapes.arrivals import Arrivals
from loadgen.scenario.shapes.rates import ConstantRate, RecordedRate


def _times(arrivals: Arrivals, share: float = 1.0) -> Iterator[float]:
    time = arrivals.first(0.0, share)
    while time is not None:
        yield time
        time = arrivals.after(time, share)


def test_even_arrivals_keep_their_gap() -> None:
    arrivals = Arrivals(ConstantRate(50), random.Random(1), poisson=False)
    times = list(itertools.islice(_times(arrivals), 100))
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert gaps == pytest.approx([0.02] * 99)
    assert 0 <= times[0] < 0.02


def test_slow_arrivals_are_further_apart_than_a_step() -> None:
    arrivals = Arrivals(ConstantRate(0.1), random.Random(1), poisson=False)
    first, second = itertools.islice(_times(arrivals), 2)
    assert second - first == pytest.approx(10)


@pytest.mark.parametrize("seed", range(5))
def test_poisson_arrivals_have_their_rate_and_spread(seed: int) -> None:
    arrivals = Arrivals(ConstantRate(100), random.Random(seed), poisson=True)
    times = list(itertools.takewhile(lambda time: time < 100, _times(arrivals)))
    assert len(times) == pytest.approx(10_000, abs=5 * 100)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    mean = sum(gaps) / len(gaps)
    variance = sum((gap - mean) ** 2 for gap in gaps) / len(gaps)
    assert variance == pytest.approx(mean**2, rel=0.1)


def test_generators_share_a_rate() -> None:
    counts = [
        len(
            list(
                itertools.takewhile(
                    lambda time: time < 50,
                    _times(
                        Arrivals(ConstantRate(100), random.Random(f"42 {worker}"), poisson=True),
                        share=1 / 4,
                    ),
                )
            )
        )
        for worker in range(4)
    ]
    assert sum(counts) == pytest.approx(5000, abs=5 * 71)
    assert len(set(counts)) > 1


def test_rising_rate_is_followed_and_its_end_ends_the_arrivals() -> None:
    arrivals = Arrivals(RecordedRate([(0, 0), (10, 200)]), random.Random(1), poisson=False)
    times = list(_times(arrivals))
    assert len(times) == pytest.approx(1000, abs=5)
    assert len([time for time in times if time < 5]) == pytest.approx(250, abs=3)
    assert times[-1] <= 10.25


def test_arrivals_repeat_with_the_seed() -> None:
    runs = [
        list(itertools.islice(_times(Arrivals(ConstantRate(9), random.Random(seed), True)), 20))
        for seed in (42, 42, 43)
    ]
    assert runs[0] == runs[1] != runs[2]


def test_nothing_arrives_at_a_rate_of_zero() -> None:
    rate = RecordedRate([(0, 0), (10, 0), (10.25, 40), (20, 40)])
    times = list(_times(Arrivals(rate, random.Random(1), poisson=False)))
    assert min(times) > 10
    assert len(times) == pytest.approx(5 + 390, abs=2)
