"""Waiting times as options: one number of seconds, or a range to draw from."""

import argparse
import itertools
import random
from dataclasses import dataclass

from locust import User


@dataclass(frozen=True)
class Interval:
    """Seconds from `low` to `high`, both included."""

    low: float
    high: float

    def draw(self, generator: random.Random) -> float:
        """Return seconds drawn uniformly."""
        return generator.uniform(self.low, self.high)


def parse_interval(text: str) -> Interval:
    """Read `1` or `20-90`. Raises ValueError with one sentence."""
    low, dash, high = text.partition("-")
    try:
        interval = Interval(float(low), float(high if dash else low))
    except ValueError:
        raise ValueError(f"{text!r} is not an interval: give seconds, such as 1 or 20-90") from None
    if not 0 <= interval.low <= interval.high:
        raise ValueError(f"{text!r} is not an interval: give the shorter time first, 0 or more")
    return interval


def interval_text(text: str) -> str:
    """Check an option's value and keep its text: Locust sends options to workers as msgpack."""
    try:
        parse_interval(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return text


class Numbers:
    """Counts users of one class in one process, for random generators that repeat with a seed."""

    def __init__(self) -> None:
        self._numbers = itertools.count()

    def generator(self, user: User, seed: int) -> random.Random:
        """Return a generator for this user: its draws follow from seed, worker and number."""
        runner = user.environment.runner
        worker = getattr(runner, "worker_index", 0)
        return random.Random(f"{seed} {worker} {next(self._numbers)}")
