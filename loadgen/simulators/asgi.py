"""The part of ASGI that every simulator with a model of time answers in the same way."""

from abc import ABC, abstractmethod

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from loadgen.simulators.clock import ModelClock


class TimedTarget(ABC):
    """An ASGI application whose service times pass on `clock`, which ends with the server."""

    clock: ModelClock

    @abstractmethod
    async def respond(self, request: Request) -> Response:
        """Answer one request, when its time has passed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or the server's messages about its start and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            response = await self.respond(Request(scope, receive))
            await response(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.clock.close()
        await send({"type": "lifespan.shutdown.complete"})
