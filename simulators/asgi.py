"""The part of ASGI that every simulator with a clock answers in the same way."""

from collections.abc import Callable

from starlette.types import Receive, Send


async def live(receive: Receive, send: Send, on_shutdown: Callable[[], None]) -> None:
    """Answer the lifespan protocol; call `on_shutdown` when the server ends."""
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    on_shutdown()
    await send({"type": "lifespan.shutdown.complete"})
