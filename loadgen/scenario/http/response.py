"""A response as a locustfile sees it: the interface of Locust's FastResponse, everything lazy."""

from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator
from json import JSONDecodeError, detect_encoding, loads
from types import TracebackType
from typing import Any, Self

from charset_normalizer import detect
from geventhttpclient.header import Headers
from locust.event import EventHook
from locust.exception import CatchResponseError, LocustError, ResponseError

from loadgen.scenario.http.connection import Connection
from loadgen.scenario.http.content import (
    Decoder,
    charset_of,
    decode,
    default_charset,
    known_charset,
    to_text,
)
from loadgen.scenario.http.errors import ContentError
from loadgen.scenario.http.head import parse_head
from loadgen.scenario.http.request import Request

_NOT_CAUGHT = (
    "the state of a request can only be changed in a with-block over a call that was given "
    "catch_response=True"
)


_KEPT_IN_HISTORY = ("status_code", "raw", "body", "connect_time", "time_to_first_byte")


class Seconds(float):
    """A number of seconds that answers as the `timedelta` of requests and FastHttpUser does."""

    __slots__ = ()

    def total_seconds(self) -> float:
        """Return the seconds."""
        return float(self)


class Response:
    """What came back, or, with `status_code` 0, the `error` that came instead.

    Times are in seconds: `connect_time` (0 on a kept connection) for resolving, connecting and
    TLS, `time_to_first_byte` and `elapsed` from the first byte sent. `wire_bytes` is the size of
    the body as received, before decoding.
    """

    status_code = 0
    error: Exception | None = None
    connect_time = 0.0
    time_to_first_byte = 0.0
    seconds = 0.0
    history: tuple["Response", ...] = ()
    raw = b""
    body: bytes | None = None
    received_at = 0.0
    _content: bytes | None = None
    _encoding: str | None = None
    _headers: Headers | None = None
    _source: "BodySource | None" = None

    def __init__(self, request: Request) -> None:
        self.request = request

    @property
    def url(self) -> str:
        """The URL that was asked for (the last one, after redirects)."""
        return self.request.url

    @property
    def elapsed(self) -> Seconds:
        """Seconds from the first byte sent to the last one received: the response time."""
        return Seconds(self.seconds)

    @property
    def encoding(self) -> str | None:
        """The charset of the body: what was set, else what the header says, None without either."""
        return self._encoding or charset_of(self.headers)

    @encoding.setter
    def encoding(self, encoding: str | None) -> None:
        self._encoding = encoding

    @property
    def arrived_at(self) -> float:
        """When the newest part of a body came that is read as a stream (`perf_counter`)."""
        return self.received_at if self._source is None else self._source.arrived_at

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status_code < 400

    @property
    def headers(self) -> Headers | None:
        """Header fields, looked up without regard to case; None if there was no response."""
        if self._headers is None and self.raw:
            self._headers = parse_head(self.raw)
        return self._headers

    @property
    def wire_bytes(self) -> int:
        """Size of the body as it came, still encoded."""
        return len(self.body) if self.body else 0

    @property
    def announced_bytes(self) -> int:
        """Size of the body as Content-Length announces it, 0 if it does not."""
        length = self.headers.get("content-length") if self.headers is not None else None
        return int(length) if isinstance(length, str) and length.isdigit() else 0

    @property
    def content(self) -> bytes | None:
        """The body, decoded as its Content-Encoding says; None if there was no response.

        Raises ContentError if it does not decode.
        """
        if self._content is None:
            if self._source is not None:
                self.body = b"".join(self._source)
                self._source = None
            if self.body:
                self._content = decode(self.body, self._codings())
            else:
                self._content = self.body
        return self._content

    def _codings(self) -> list[str]:
        return [] if self.headers is None else self.headers.getlist("content-encoding")

    def decode(self) -> None:
        """Decode the body now; ContentError, and no body, if that fails."""
        try:
            _ = self.content
        except ContentError:
            self.body = None
            raise

    @property
    def text(self) -> str | None:
        """The body as text: `encoding` if set, else the header's charset, else a good guess.

        What does not decode becomes replacement characters; an unknown charset counts as UTF-8.
        """
        content = self.content
        if content is None:
            return None
        encoding = self.encoding or default_charset(self.headers)
        if encoding is None and content:
            encoding = detect(content)["encoding"]
        return to_text(content, encoding or "utf-8")

    def json(self) -> Any:
        """Return the body as JSON; raises JSONDecodeError.

        Its charset is `encoding`'s or the header's, else UTF-8 (or -16, or -32, as it begins);
        bytes of another one become replacement characters.
        """
        content = self.content
        if content is None:
            raise JSONDecodeError("there is no response to parse", "", 0)
        text = to_text(content, self.encoding or detect_encoding(content))
        try:
            return loads(text.removeprefix("\ufeff"))
        except JSONDecodeError:
            raise
        except (ValueError, RecursionError) as error:  # digits or depth beyond Python's limits
            raise JSONDecodeError(str(error), text[:100], 0) from error

    @property
    def stream(self) -> "BodyReader":
        """The decoded body as something to read from, once."""
        return BodyReader(self._pieces())

    def iter_content(
        self, chunk_size: int = 1024, decode_content: bool = True
    ) -> Iterator[str | bytes]:
        """Yield the body in pieces as they come, as text where it is UTF-8.

        Pieces are at most `chunk_size` bytes. Raises OSError if the connection breaks.
        """
        for piece in self._pieces():
            for start in range(0, len(piece), chunk_size):
                part = piece[start : start + chunk_size]
                yield _text_if_utf8(part) if decode_content else part

    def _pieces(self) -> Iterator[bytes]:
        if self._source is None:
            yield self.content or b""
            return
        decoder = Decoder(self._codings())
        for part in self._source:
            yield decoder.decode(part)
        decoder.finish()
        self._source = None

    def iter_lines(self) -> Iterator[str]:
        """Yield the body's lines as text, without their ends, as they come."""
        rest = ""
        decoder = getincrementaldecoder(known_charset(self.encoding))("replace")
        for piece in self._pieces():
            *lines, rest = (rest + decoder.decode(piece)).split("\n")
            yield from lines
        rest += decoder.decode(b"", final=True)
        if rest:
            yield rest

    def attach(self, source: "BodySource") -> None:
        """Let the body be read from `source` when it is asked for."""
        self._source = source

    def step_back(self) -> None:
        """Put a copy of this response into `history`, and forget it here."""
        self.close()
        earlier = Response(self.request)
        for name in _KEPT_IN_HISTORY:
            setattr(earlier, name, getattr(self, name))
        self.history = (*self.history, earlier)
        self.status_code, self.raw = 0, b""
        self._headers = self._content = self.body = None

    def close(self) -> None:
        """Give a streamed response's connection up, if its body has not been read to the end."""
        if self._source is not None:
            self._source.close()
            self._source = None

    release = close

    def raise_for_status(self) -> None:
        """Raise what made the request fail: a bad status, or what came instead of a response."""
        if self.error is not None:
            raise self.error

    def success(self) -> None:
        """Raise LocustError: this response is not in a with-block."""
        raise LocustError(_NOT_CAUGHT)

    def failure(self, exc: object) -> None:  # noqa: ARG002 - as in a with-block
        """Raise LocustError: this response is not in a with-block."""
        raise LocustError(_NOT_CAUGHT)

    def __enter__(self) -> Self:
        raise LocustError(_NOT_CAUGHT)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        return None


class CaughtResponse(Response):
    """A response in a with-block, which decides whether the request counts as failed.

    `request_meta` is what Locust's request event will be fired with, beside the response itself.
    """

    request_meta: dict[str, Any]
    request_event: EventHook
    told: Callable[[str, str, float, int, float, int], bool]
    _verdict: Exception | bool | None = None
    _entered = False

    def __enter__(self) -> Self:
        self._entered = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        self.close()
        if self._verdict is not None:
            self.request_meta["exception"] = None if self._verdict is True else self._verdict
        elif isinstance(value, ResponseError):
            self.request_meta["exception"] = value
        elif kind is not None:
            return False
        self._report()
        return kind is None or self._verdict is None

    def _report(self) -> None:
        """Tell the result: past the event if it is ordinary, as the session does (outlet.py)."""
        meta = self.request_meta
        get: Callable[[str], Any] = meta.get
        name, milliseconds, size = get("name"), get("response_time"), get("response_length")
        ordinary = (
            not (meta["exception"] or meta["context"])
            and milliseconds.__class__ is float
            and size.__class__ is int
        )
        method, start, status = get("request_type"), get("start_time"), self.status_code
        if not (ordinary and self.told(method, name, milliseconds, size, start, status)):
            self.request_event.fire(response=self, **meta)

    def success(self) -> None:
        """Count the request as successful, whatever its status."""
        self._check_entered()
        self._verdict = True

    def failure(self, exc: object) -> None:
        """Count the request as failed, with `exc` (an exception or a text) as its error."""
        self._check_entered()
        self._verdict = exc if isinstance(exc, Exception) else CatchResponseError(exc)

    def _check_entered(self) -> None:
        if not self._entered:
            raise LocustError(_NOT_CAUGHT)

    def raise_for_status(self) -> None:
        """Raise what makes the request fail; success() and failure() have the last word."""
        if isinstance(self._verdict, Exception):
            raise self._verdict
        if self._verdict is None:
            super().raise_for_status()


class BodySource:
    """The body of a streamed response, as yet unread: an iterator over its parts."""

    def __init__(self, connection: Connection, release: Callable[[Connection], None]) -> None:
        self._connection = connection
        self._release = release
        self._open = True

    def __iter__(self) -> Iterator[bytes]:
        connection = self._connection
        try:
            while True:
                parts = connection.take_parts()
                yield from parts
                if connection.complete:
                    break
                connection.receive_more()
            connection.finish()
        finally:
            self.close()

    @property
    def arrived_at(self) -> float:
        """When the newest part came."""
        return self._connection.received_at

    def close(self) -> None:
        """Give the connection back if the body was read to its end, else close it."""
        if self._open:
            self._open = False
            if not self._connection.finished:
                self._connection.close()
            self._release(self._connection)

    def __del__(self) -> None:
        self.close()


class BodyReader:
    """Reads a body piece by piece: `read(n)` gives at most n bytes, b"" at its end."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int | None = None) -> bytes:
        """Return up to `size` bytes, all that are left without it; raises OSError, ContentError."""
        if size is None or size < 0:
            data, self._rest = self._rest + b"".join(self._pieces), b""
            return data
        while not self._rest and (piece := next(self._pieces, None)) is not None:
            self._rest = piece
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def __iter__(self) -> Iterator[bytes]:
        if self._rest:
            yield self._rest
            self._rest = b""
        yield from self._pieces


def _text_if_utf8(part: bytes) -> str | bytes:
    try:
        return part.decode()
    except UnicodeDecodeError:
        return part
