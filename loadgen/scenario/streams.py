"""Streams of events: server-sent events, and answers of language models token by token.

Rows of a stream, each under its name: `SSE` from the request to the stream's end, `SSE first` to
its first event, `SSE event` from each event to the next, so that the rate of that row is events a
second. The request itself has a row too, up to the answer's head.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gevent

from loadgen.scenario.http import FastUser, Response
from loadgen.shared.request_names import group_path

LARGEST_EVENT_BYTES = 1_000_000
PIECE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One event (https://html.spec.whatwg.org/multipage/server-sent-events.html)."""

    data: str
    name: str = "message"
    id: str = ""


@dataclass(slots=True)
class Heard:
    """What a stream came to. `first_seconds` is None when there was no event."""

    events: int = 0
    first_seconds: float | None = None
    seconds: float = 0.0


class StreamUser(FastUser):
    """A user that listens to streams of events."""

    abstract = True

    def listen(
        self,
        path: str,
        *,
        method: str = "GET",
        name: str = "",
        on_event: Callable[[StreamEvent], object] = lambda _: None,
        events_max: int | None = None,
        seconds_max: float = 60.0,
        ends_with: str = "",
        **request: Any,  # noqa: ANN401 - what a client's request takes
    ) -> Heard:
        """Listen until the stream ends, `ends_with` is an event's data, or a bound is reached.

        A stream that ends by itself without `ends_with`, breaks, or isn't one, is a failed `SSE`.
        """
        name = name or group_path(path)
        listener = _Listener(self, name, ends_with, events_max, on_event)
        headers = {"Accept": "text/event-stream", **request.pop("headers", {})}
        fault: Exception | None = None
        try:
            with gevent.Timeout(seconds_max, False):
                response = self.client.request(
                    method, path, name=name, headers=headers, stream=True, **request
                )
                try:
                    listener.hear(response)
                finally:
                    response.close()
        except (OSError, ValueError) as error:
            fault = error
        listener.end(fault)
        return listener.heard


class _Listener:
    def __init__(
        self,
        user: FastUser,
        name: str,
        ends_with: str,
        events_max: int | None,
        on_event: Callable[[StreamEvent], object],
    ) -> None:
        self.heard = Heard()
        self._user = user
        self._name = name
        self._ends_with = ends_with
        self._events_max = events_max
        self._on_event = on_event
        self._began = self._last = time.perf_counter()
        self._bytes = 0

    def hear(self, response: Response) -> None:
        """Take in events until the stream's end or a bound. Raises ValueError: it is no stream."""
        if response.status_code != 200:
            raise ValueError(f"the answer has status {response.status_code} instead of 200")
        headers: Any = response.headers or {}
        kind = str(headers.get("content-type", ""))
        if not kind.lower().startswith("text/event-stream"):
            raise ValueError("the answer is not text/event-stream")
        for event in parse(self._pieces(response)):
            self._take(event)
            if self._ends_with and event.data == self._ends_with:
                return
            if self._events_max is not None and self.heard.events >= self._events_max:
                return
        if self._ends_with:
            raise ValueError(f"the stream ended without {self._ends_with!r}")

    def _pieces(self, response: Response) -> Iterator[bytes]:
        for piece in response.iter_content(PIECE_BYTES, decode_content=False):
            content = piece.encode() if isinstance(piece, str) else piece
            self._bytes += len(content)
            yield content

    def _take(self, event: StreamEvent) -> None:
        now = time.perf_counter()
        self.heard.events += 1
        kind, since = "SSE event", self._last
        if self.heard.first_seconds is None:
            kind, since = "SSE first", self._began
            self.heard.first_seconds = now - self._began
        self._last = now
        self._fire(kind, now - since, len(event.data.encode()))
        self._on_event(event)

    def end(self, fault: Exception | None) -> None:
        """Count the whole stream."""
        self.heard.seconds = time.perf_counter() - self._began
        self._fire("SSE", self.heard.seconds, self._bytes, fault)

    def _fire(self, kind: str, seconds: float, size: int, fault: Exception | None = None) -> None:
        self._user.environment.events.request.fire(
            request_type=kind,
            name=self._name,
            response_time=seconds * 1000,
            response_length=size,
            exception=fault,
            context=self._user.context(),
        )


def parse(pieces: Iterator[bytes]) -> Iterator[StreamEvent]:
    """Yield the events of a stream. Raises ValueError for one beyond a megabyte."""
    data: list[str] = []
    name = identifier = ""
    size = 0
    for line in _lines(pieces):
        size += len(line)
        if size > LARGEST_EVENT_BYTES:
            raise ValueError(f"an event has more than {LARGEST_EVENT_BYTES:,} bytes")
        if not line:
            if data:
                yield StreamEvent("\n".join(data), name or "message", identifier)
            data, name, size = [], "", 0
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "data":
                data.append(value)
            case "event":
                name = value
            case "id":
                identifier = value


def _lines(pieces: Iterator[bytes]) -> Iterator[str]:
    """Yield lines, which end by a line feed, a carriage return, or both."""
    rest = b""
    for piece in pieces:
        text = rest + piece
        # The line feed of a pair may come with the next piece.
        held = text.endswith(b"\r")
        *lines, rest = (
            (text[:-1] if held else text).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        )
        rest += b"\r" * held
        if len(rest) > LARGEST_EVENT_BYTES:
            raise ValueError(f"an event has more than {LARGEST_EVENT_BYTES:,} bytes")
        for line in lines:
            yield line.decode("utf-8", "replace").removeprefix("\ufeff")
