"""Streams of events: server-sent events, and answers of language models token by token.

Rows of a stream, each under its name: `SSE` from the request to the stream's end, `SSE first` to
its first event, `SSE event` from each event to the next, so that the rate of that row is events a
second. The request itself has a row too, up to the answer's head.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import gevent

from loadgen.scenario.http import FastUser, Response
from loadgen.scenario.http.errors import ContentError
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

    def listen(  # noqa: PLR0913 - the bounds of a stream, each given by name
        self,
        path: str,
        *,
        method: str = "GET",
        name: str = "",
        on_event: Callable[[StreamEvent], object] = lambda _: None,
        events_min: int = 1,
        events_max: int | None = None,
        seconds_max: float = 60.0,
        ends_with: str = "",
        **request: Any,  # noqa: ANN401 - what a client's request takes
    ) -> Heard:
        """Listen until the stream ends, `ends_with` is an event's data, or a bound is reached.

        A stream is a failed `SSE` if it doesn't reach `ends_with`, brings fewer than `events_min`
        events, ends within an event, breaks, or isn't one. What `on_event` raises fails it too.
        """
        listener = _Listener(self, name or group_path(path), ends_with, events_max, on_event)
        headers = {"Accept": "text/event-stream", **request.pop("headers", {})}
        bound = gevent.Timeout(seconds_max)
        try:
            with (
                bound,
                closing(
                    self.client.request(
                        method, path, name=listener.name, headers=headers, stream=True, **request
                    )
                ) as response,
            ):
                listener.hear(response)
            listener.require(events_min)
        except gevent.Timeout as time_out:
            if time_out is not bound:
                raise
            listener.end(listener.fault_at_bound(events_min, seconds_max))
        except Exception as fault:
            listener.end(fault)
            if not isinstance(fault, OSError | ValueError | ContentError):
                raise
        else:
            listener.end(None)
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
        self.name = name
        self._user = user
        self._ends_with = ends_with
        self._events_max = events_max
        self._on_event = on_event
        self._began = self._last = time.perf_counter()
        self._bytes = 0

    def hear(self, response: Response) -> None:
        """Take in events until the stream's end or a bound. Raises ValueError: it is no stream."""
        if not response.status_code:
            raise ConnectionError(str(response.error))
        if response.status_code != 200:
            raise ValueError(f"the answer has status {response.status_code} instead of 200")
        headers: Any = response.headers or {}
        kind = str(headers.get("content-type", "")).partition(";")[0]
        if kind.strip().lower() != "text/event-stream":
            raise ValueError("the answer does not have the Content-Type text/event-stream")
        parser = EventParser()
        for piece in response.iter_content(PIECE_BYTES, decode_content=False):
            content = piece.encode() if isinstance(piece, str) else piece
            self._bytes += len(content)
            came = response.arrived_at
            for event in parser.feed(content):
                self._take(event, came)
                if self._is_last(event):
                    return
        if parser.unfinished:
            raise ValueError("the stream ended in the middle of an event")
        if self._ends_with:
            raise ValueError(f"the stream ended without {self._ends_with!r}")

    def _is_last(self, event: StreamEvent) -> bool:
        if self._ends_with and event.data == self._ends_with:
            return True
        return self._events_max is not None and self.heard.events >= self._events_max

    def _take(self, event: StreamEvent, came: float) -> None:
        self.heard.events += 1
        kind, since = "SSE event", self._last
        if self.heard.first_seconds is None:
            kind, since = "SSE first", self._began
            self.heard.first_seconds = came - self._began
        self._last = came
        self._fire(kind, came - since, len(event.data.encode()))
        self._on_event(event)

    def require(self, events_min: int) -> None:
        """Raise ValueError when the stream brought too few events."""
        if self.heard.events < events_min:
            raise ValueError(
                f"the stream ended before it had sent events_min events ({self.heard.events} of "
                f"{events_min})"
            )

    def fault_at_bound(self, events_min: int, seconds: float) -> Exception | None:
        """Return what is wrong with a stream that goes on when its time is over."""
        if self._ends_with:
            return TimeoutError(
                f"timed out: the server did not send {self._ends_with!r} within {seconds:g} s"
            )
        if self.heard.events < events_min:
            return TimeoutError(
                f"timed out: the server sent fewer than events_min events within {seconds:g} s "
                f"({self.heard.events} of {events_min})"
            )
        return None

    def end(self, fault: Exception | None) -> None:
        """Count the whole stream."""
        self.heard.seconds = time.perf_counter() - self._began
        self._fire("SSE", self.heard.seconds, self._bytes, fault)

    def _fire(self, kind: str, seconds: float, size: int, fault: Exception | None = None) -> None:
        self._user.environment.events.request.fire(
            request_type=kind,
            name=self.name,
            response_time=seconds * 1000,
            response_length=size,
            exception=fault,
            context=self._user.context(),
        )


class EventParser:
    """Makes events of a stream's bytes, each as soon as the end of its last line has come.

    Raises ValueError for an event, or a line, beyond a megabyte.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[str] = []
        self._bytes = 0
        self._name = self._id = ""
        self._at_start = True
        self._after_return = False

    @property
    def unfinished(self) -> bool:
        """Whether an event has begun whose blank line hasn't come; at the end it is lost."""
        return bool(self._data) or self._rest.startswith(b"data")

    def feed(self, piece: bytes) -> Iterator[StreamEvent]:
        """Yield the events that a piece completes."""
        if self._after_return and piece:
            piece = piece.removeprefix(b"\n")  # the other half of the last line's end
            self._after_return = False
        lines = (self._rest + piece).splitlines(keepends=True)
        self._rest = lines.pop() if lines and not lines[-1].endswith((b"\n", b"\r")) else b""
        self._after_return = self._after_return or bool(lines and lines[-1].endswith(b"\r"))
        for line in lines:
            self._bound(line)
            event = self._take(line.rstrip(b"\r\n"))
            if event is not None:
                yield event
        self._bound(self._rest)

    def _bound(self, line: bytes) -> None:
        if self._bytes + len(line) > LARGEST_EVENT_BYTES:
            raise ValueError(f"an event has more than {LARGEST_EVENT_BYTES:,} bytes")

    def _take(self, line: bytes) -> StreamEvent | None:
        if self._at_start:
            line = line.removeprefix(b"\xef\xbb\xbf")
            self._at_start = False
        if not line:
            return self._dispatch()
        field, _, value = line.decode("utf-8", "replace").partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
            self._bytes += len(line)
        elif field == "event":
            self._name = value
        elif field == "id" and "\0" not in value:
            self._id = value
        return None

    def _dispatch(self) -> StreamEvent | None:
        data, name = self._data, self._name
        self._data, self._name, self._bytes = [], "", 0
        return StreamEvent("\n".join(data), name or "message", self._id) if data else None


def parse(pieces: Iterable[bytes]) -> Iterator[StreamEvent]:
    """Yield the events of a stream. Raises ValueError for one beyond a megabyte."""
    parser = EventParser()
    for piece in pieces:
        yield from parser.feed(piece)
