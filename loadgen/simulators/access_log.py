"""A simulator's own access log, in the combined form: what `loadgen mix` reads."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send


class AccessLog:
    """Wraps an application: a line for each request that was answered, when its head is sent."""

    def __init__(self, app: ASGIApp, file: TextIO) -> None:
        self._app = app
        self._file = file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._file.write(_line(scope, message["status"]))
            await send(message)

        await self._app(scope, receive, noted)


def _line(scope: Scope, status: int) -> str:
    headers = dict(scope["headers"])
    client, port = scope["client"] or ("-", 0)
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    now = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime())
    agent = headers.get(b"user-agent", b"-") + f" port {port}".encode()
    asked = f"{scope['method']} {_plain(target)} HTTP/{scope['http_version']}"
    return f'{client} - - [{now}] "{asked}" {status} - "-" "{_plain(agent)}"\n'


def _plain(text: bytes) -> str:
    return text.decode("latin-1").encode("unicode_escape").decode("ascii").replace('"', "%22")
