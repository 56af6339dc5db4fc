"""Visits that arrive at a rate: each asks for some pages of a mix, with pauses between them.

The base of locustfiles that `loadgen mix` makes. A visit is an arrival of the open model: it comes
when it is due, whatever the target does, as a new visitor without cookies.

    THINK_TIME_RATIO   pauses as a multiple of those in the log (1); 0 leaves them out
"""

import itertools
import os
import random
from collections.abc import Sequence
from dataclasses import dataclass

from gevent.event import Event

from loadgen.scenario.shapes.arrival import OpenModelUser


@dataclass(frozen=True, slots=True)
class Route:
    """One kind of request: its row's name, how often it was made, and paths to draw from."""

    method: str
    name: str
    weight: float
    paths: Sequence[str]


class VisitUser(OpenModelUser):
    """A generator of visits. `visit_lengths` and `pauses` (seconds) are samples to draw from."""

    abstract = True
    routes: Sequence[Route] = ()
    visit_lengths: Sequence[int] = (1,)
    pauses: Sequence[float] = (0.0,)

    def on_start(self) -> None:
        """Begin to draw, by the seed of the arrivals."""
        super().on_start()
        self._ending = Event()
        self._ratio = float(os.environ.get("THINK_TIME_RATIO", "1"))
        seed = self.numbers.generator(self, self._options.arrival_seed).random()
        self._draw = random.Random(seed)
        self._weights = list(itertools.accumulate(route.weight for route in self.routes))

    def on_stop(self) -> None:
        """Let visits end with the request that they are in."""
        self._ending.set()
        super().on_stop()

    def arrival(self) -> None:
        """Make one visit."""
        client = self.make_client()
        client.intended_start = self.client.intended_start
        try:
            for number in range(self._draw.choice(self.visit_lengths)):
                if number and self._ending.wait(self._ratio * self._draw.choice(self.pauses)):
                    return
                (route,) = self._draw.choices(self.routes, cum_weights=self._weights)
                path = self._draw.choice(route.paths)
                client.request(route.method, path, name=route.name, allow_redirects=False)
        finally:
            client.close()
