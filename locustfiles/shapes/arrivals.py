"""When requests of an open model arrive: pure arithmetic on a rate, a share and random draws."""

import random
from dataclasses import dataclass

from locustfiles.shapes.rates import Rate

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
        """Integrate the rate from `time` until it adds up to so many expected arrivals."""
        while (low := self.rate.at(time)) is not None:
            high = self.rate.at(time + STEP_SECONDS)
            mean = share * (low + (low if high is None else high)) / 2
            if mean * STEP_SECONDS >= arrivals:
                return time + arrivals / mean
            arrivals -= mean * STEP_SECONDS
            time += STEP_SECONDS
        return None
