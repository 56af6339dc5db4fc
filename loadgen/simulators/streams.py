"""A target that streams: server-sent events, a model's tokens, a WebSocket that answers.

GET  /events?count=10&every=0.1   so many events, so many seconds apart; without count no end
POST /v1/chat/completions         an answer token by token, then `data: [DONE]`
/echo                             a WebSocket: each message comes back
/prices                           a WebSocket: a price each `every` seconds, unasked
"""

import asyncio
import itertools
import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from loadgen.simulators.state import Counted, TargetState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from starlette.types import ASGIApp, Receive, Scope, Send

WORDS = (
    *("This", "is", "what", "a", "model", "would", "say,"),
    *("one", "word", "after", "another"),
)
_HEAD = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-store")]


class Streams:
    """The application. `every` is the seconds between events unless a request says otherwise."""

    def __init__(self, every: float) -> None:
        self._every = every

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Serve one request or WebSocket."""
        query = {name: value[0] for name, value in parse_qs(scope["query_string"].decode()).items()}
        every = float(query.get("every", self._every))
        if scope["type"] == "websocket":
            await self._socket(scope["path"], every, receive, send)
            return
        while (await receive()).get("more_body"):
            pass
        if scope["path"] == "/events":
            count = int(query["count"]) if "count" in query else None
            numbers = itertools.count() if count is None else range(count)
            await _stream(
                receive, send, every, (f"id: {one}\ndata: event {one}\n\n" for one in numbers)
            )
        elif scope["path"] == "/v1/chat/completions":
            tokens = [json.dumps({"choices": [{"delta": {"content": one}}]}) for one in WORDS]
            await _stream(receive, send, every, (f"data: {one}\n\n" for one in [*tokens, "[DONE]"]))
        else:
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b"GET /events\n"})

    async def _socket(self, path: str, every: float, receive: "Receive", send: "Send") -> None:
        await receive()
        if path not in {"/echo", "/prices"}:
            await send({"type": "websocket.close", "code": 1008})
            return
        await send({"type": "websocket.accept"})
        telling = asyncio.create_task(_prices(send, every)) if path == "/prices" else None
        try:
            async for message in _messages(receive):
                await send({"type": "websocket.send", **message})
        finally:
            if telling:
                telling.cancel()


async def _stream(receive: "Receive", send: "Send", every: float, events: "Iterable[str]") -> None:
    """Send events until there is none left, or nobody who listens."""
    await send({"type": "http.response.start", "status": 200, "headers": _HEAD})
    gone = asyncio.create_task(_left(receive))
    for event in events:
        body = event.encode()
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await asyncio.wait([gone], timeout=every)
        if gone.done():
            return
    gone.cancel()
    await send({"type": "http.response.body", "body": b""})


async def _left(receive: "Receive") -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _messages(receive: "Receive") -> "AsyncIterator[dict[str, object]]":
    while (event := await receive())["type"] == "websocket.receive":
        yield {name: event[name] for name in ("text", "bytes") if event.get(name) is not None}


async def _prices(send: "Send", every: float) -> None:
    for number in itertools.count():
        await send({"type": "websocket.send", "text": json.dumps({"price": 100 + number % 7})})
        await asyncio.sleep(every)


def build(seed: int, *, every: float = 0.05) -> "ASGIApp":
    """Return the application; the seed changes nothing here."""
    return Counted(Streams(every), TargetState("streams", seed))
