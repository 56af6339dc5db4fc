"""A target whose capacity is known by construction, for tests of the capacity search.

Every request to `/` takes what the law says, and nothing else limits it:

    lock    one lock, held for `service_seconds`: N users who ask again at once wait N x service
    pool    `size` locks of that kind in a row: N x service / size, in whole rounds
    crowd   no lock; the time grows with those in flight: service x (1 + others / size)

`capacity` inverts them. One request, drawn from the seed, takes `outlier_seconds` more than its law
says; it delays nobody else. `POST /_state/reset` counts requests from zero, so it comes again.
"""

import heapq
import math
import random
from typing import Literal, get_args

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp

from loadgen.shared.errors import UsageError
from loadgen.simulators.asgi import TimedTarget
from loadgen.simulators.clock import ModelClock
from loadgen.simulators.service import Coefficients, Law, LockLaw, RegressionLaw, Waiter, constant
from loadgen.simulators.state import Counted, TargetState

LawName = Literal["lock", "pool", "crowd"]
KIND = "/"
OUTLIER_BETWEEN = (20, 200)


def build(
    seed: int = 42,
    *,
    law: LawName = "lock",
    service_seconds: float = 0.05,
    size: int = 4,
    outlier_seconds: float = 0.0,
) -> ASGIApp:
    """Make the application. Raises UsageError when an option is out of range."""
    if law not in get_args(LawName):
        raise UsageError(f"law is {law!r}; it must be one of {', '.join(get_args(LawName))}")
    if service_seconds <= 0 or size < 1 or outlier_seconds < 0:
        raise UsageError(
            f"service_seconds is {service_seconds}, size {size}, outlier_seconds "
            f"{outlier_seconds}; service_seconds must be above 0, size at least 1, "
            f"and outlier_seconds 0 or more"
        )
    target = CapacityTarget(seed, law, service_seconds, size, outlier_seconds)
    state = TargetState("capacity", seed, target.figures, target.reset)
    return Counted(target, state, name=lambda scope: scope["path"])


def capacity(law: LawName, service_seconds: float, size: int, limit_seconds: float) -> int:
    """Return the highest number of users, each asking again at once, who wait `limit_seconds`."""
    rounds = limit_seconds / service_seconds + 1e-9
    if law == "lock":
        return math.floor(rounds)
    if law == "pool":
        return math.floor(rounds) * size
    return max(0, math.floor((rounds - 1) * size) + 1)


class PoolLaw:
    """Locks of which a request takes the one that is free first."""

    def __init__(self, service_seconds: float, size: int) -> None:
        self._service_seconds = service_seconds
        self._free_at = [0.0] * size

    async def serve(self, _kind: str, clock: Waiter) -> None:
        """Return when a request that arrives now is finished."""
        start = max(clock.now(), self._free_at[0])
        finish = start + self._service_seconds
        heapq.heapreplace(self._free_at, finish)
        await clock.sleep_until(finish)


def make_law(name: LawName, service_seconds: float, size: int) -> Law:
    """Return a fresh law."""
    if name == "lock":
        return LockLaw(constant(service_seconds))
    if name == "pool":
        return PoolLaw(service_seconds, size)
    crowd = Coefficients(service_seconds, service_seconds / size, finished=0.0, kind=0.0)
    return RegressionLaw(crowd, {KIND: 0})


class CapacityTarget(TimedTarget):
    """The ASGI application."""

    def __init__(
        self, seed: int, law: LawName, service_seconds: float, size: int, outlier_seconds: float
    ) -> None:
        self.law_name = law
        self.service_seconds = service_seconds
        self.size = size
        self.outlier_seconds = outlier_seconds
        self.outlier_at = random.Random(f"{seed} outlier").randint(*OUTLIER_BETWEEN)
        self.clock = ModelClock()
        self.clock.start()
        self.reset()

    def reset(self) -> None:
        """Count requests from zero, with nobody waiting."""
        self.requests = 0
        self.law = make_law(self.law_name, self.service_seconds, self.size)

    def figures(self) -> dict[str, object]:
        """Return the model's settings."""
        return {
            "law": self.law_name,
            "service_seconds": self.service_seconds,
            "size": self.size,
            "outlier_seconds": self.outlier_seconds,
            "outlier_at_request": self.outlier_at if self.outlier_seconds else None,
        }

    async def respond(self, request: Request) -> Response:
        """Answer one request, when its time has passed."""
        if request.url.path != "/":
            return PlainTextResponse("ask for /\n", 404)
        self.requests += 1
        is_outlier = self.outlier_seconds > 0 and self.requests == self.outlier_at
        await self.law.serve(KIND, self.clock)
        if is_outlier:
            await self.clock.sleep_until(self.clock.now() + self.outlier_seconds)
        return PlainTextResponse("done\n")
