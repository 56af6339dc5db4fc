"""When requests of an open model arrive: pure arithmetic on a rate, a share and random draws."""

import math
import random
from dataclasses import dataclass

from loadgen.scenario.shapes.rates import Rate

STEP_SECONDS = 0.25


@dataclass(frozen=True)
class Arrivals:
    """Intended starts of one generator of several that share a rate.

    `poisson` draws the gaps of a Poisson process; without it they are even. Shares of independent
    Poisson processes add up to one; even generators are even each for itself.
    """

    rate: Rate
    generator: random.Random
    poisson: bool

    def first(self, time: float, share: float) -> float | None:
        """Return the first arrival from `time` (s) on, at a random part of an even gap."""
        arrivals = self._draw() if self.poisson else self.generator.random()
        return self._reach(time, arrivals, share)

    def after(self, time: float, share: float) -> float | None:
        """Return the arrival that follows one at `time` (s), None when the rate is over.

        `share` is this generator's part of the rate, as the number of generators is now.
        """
        return self._reach(time, self._draw(), share)

    def _draw(self) -> float:
        return self.generator.expovariate(1.0) if self.poisson else 1.0

    def _reach(self, time: float, arrivals: float, share: float) -> float | None:
        """Integrate the rate from `time` until it adds up to so many expected arrivals.

        Steps are short and the rate is straight within one, so the last is solved exactly:
        low x + slope x^2 / 2 = arrivals.
        """
        while (rate := self.rate.at(time)) is not None:
            following = self.rate.at(time + STEP_SECONDS)
            low, high = share * rate, share * (rate if following is None else following)
            in_step = (low + high) / 2 * STEP_SECONDS
            if 0 < in_step >= arrivals:
                slope = (high - low) / STEP_SECONDS
                time += 2 * arrivals / (low + math.sqrt(low * low + 2 * slope * arrivals))
                return None if self.rate.at(time) is None else time
            arrivals -= in_step
            time += STEP_SECONDS
        return None
