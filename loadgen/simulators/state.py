"""What a simulated target saw: counts by method and name, on every simulator at the same place.

    GET  /_state         a page to read
    GET  /_state.json    {"simulator", "seed", "since_unix_seconds", "in_flight", "received",
                          "answered", "requests": [{"method", "name", "received", "answered",
                          "statuses": {"200": 3}}], "details": {...}}
    POST /_state/reset   204; counts start again at zero

A simulator's module has `build(seed: int) -> ASGIApp`, which returns its application wrapped in
`Counted`. A request is *received* when its head has been read and *answered* when the last byte
of its response was handed to the server, so a client that goes away makes the two differ.
Requests for the state pages themselves are not counted.
"""

from __future__ import annotations

import html
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from loadgen.shared.request_names import group_path

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

Key = tuple[str, str]


@dataclass
class TargetState:
    """Counts since the start or the last reset. One event loop writes it; it takes no lock.

    `details` returns what else the simulator wants to show: names and numbers, readable as JSON.
    `on_reset` sets the simulator's own model back.
    """

    simulator: str
    seed: int
    details: Callable[[], Mapping[str, object]] = dict
    on_reset: Callable[[], object] = lambda: None
    since: float = field(default_factory=time.time)
    received: Counter[Key] = field(default_factory=Counter)
    statuses: dict[Key, Counter[int]] = field(default_factory=dict)
    in_flight: int = 0

    def reset(self) -> None:
        """Start counting again at zero; requests in flight will count when answered."""
        self.since = time.time()
        self.received.clear()
        self.statuses.clear()
        self.on_reset()

    def answer(self, key: Key, status: int) -> None:
        """Count one answered request."""
        self.statuses.setdefault(key, Counter())[status] += 1

    def as_json(self) -> dict[str, object]:
        """Everything that `/_state.json` shows."""
        rows = [self._row(key) for key in sorted(self.received | dict.fromkeys(self.statuses, 0))]
        return {
            "simulator": self.simulator,
            "seed": self.seed,
            "since_unix_seconds": self.since,
            "in_flight": self.in_flight,
            "received": self.received.total(),
            "answered": sum(counts.total() for counts in self.statuses.values()),
            "requests": rows,
            "details": dict(self.details()),
        }

    def _row(self, key: Key) -> dict[str, object]:
        statuses = self.statuses.get(key, Counter())
        return {
            "method": key[0],
            "name": key[1],
            "received": self.received[key],
            "answered": statuses.total(),
            "statuses": {str(status): count for status, count in sorted(statuses.items())},
        }


class Counted:
    """ASGI middleware: counts every request to `app` in `state` and serves the state pages.

    `name` maps a request to its kind; the default groups identifiers in the path.
    """

    def __init__(
        self,
        app: ASGIApp,
        state: TargetState,
        name: Callable[[Scope], str] = lambda scope: group_path(scope["path"]),
    ) -> None:
        self.app = app
        self.state = state
        self.name = name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a state page, or pass the request on and count it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["path"].startswith("/_state"):
            await _send_page(send, *self._page(scope["method"], scope["path"]))
        else:
            await self._count(scope, receive, send)

    async def _count(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = (scope["method"], self.name(scope))
        status = 0

        async def send_counting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self.state.answer(key, status)

        self.state.received[key] += 1
        self.state.in_flight += 1
        try:
            await self.app(scope, receive, send_counting)
        finally:
            self.state.in_flight -= 1

    def _page(self, method: str, path: str) -> tuple[int, str, bytes]:
        if (method, path) == ("POST", "/_state/reset"):
            self.state.reset()
            return 204, "text/plain", b""
        if (method, path) == ("GET", "/_state.json"):
            return 200, "application/json", json.dumps(self.state.as_json()).encode()
        if (method, path) == ("GET", "/_state"):
            return 200, "text/html; charset=utf-8", _html(self.state).encode()
        return 404, "text/plain", b"GET /_state, GET /_state.json or POST /_state/reset\n"


async def _send_page(send: Send, status: int, content_type: str, body: bytes) -> None:
    headers = [(b"content-type", content_type.encode()), (b"cache-control", b"no-store")]
    if status != 204:
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _html(state: TargetState) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(method)}<td>{html.escape(name)}"
        f"<td>{state.received[method, name]}<td>{statuses.total()}"
        f"<td>{' '.join(f'{status}: {count}' for status, count in sorted(statuses.items()))}"
        for (method, name), statuses in sorted(state.statuses.items())
    )
    details = "".join(
        f"<tr><td>{html.escape(name)}<td>{html.escape(str(value))}"
        for name, value in state.details().items()
    )
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(state.since))
    return f"""<!doctype html><html lang="en"><meta charset="utf-8">
<title>{html.escape(state.simulator)}: state</title>
<style>body{{font-family:sans-serif;margin:2em}}td,th{{padding:.2em 1em;text-align:left}}</style>
<h1>{html.escape(state.simulator)}</h1>
<p>Seed {state.seed}. Counting since {since}. In flight: {state.in_flight}.</p>
<table><tr><th>Method<th>Name<th>Received<th>Answered<th>Statuses{rows}</table>
<h2>Details</h2><table>{details}</table>
<form method="post" action="/_state/reset"><button>Reset the counts</button></form></html>
"""
