"""The response that is being received over a connection, as its bytes come in.

A head that came before is known: a server sends the same one again, for a second at least, and to
look it up costs a quarter of parsing it. What the parser found in it holds for the same bytes.
"""

import re
from collections.abc import Callable
from time import monotonic

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from loadgen.scenario.http.errors import (
    ConnectionClosedError,
    InvalidResponseError,
    StaleConnectionError,
)
from loadgen.scenario.http.head import (
    COMPLETE,
    FIRST_FINAL_STATUS,
    SWITCHING_PROTOCOLS,
    WHOLE,
    body_of,
    chunked,
    ends_with_connection,
    keeps_connection,
    mended,
    parse_head,
    parser_into,
    sets_cookie,
)

MAX_HEAD_BYTES = 262144
_END = b"\r\n\r\n"
_END_BYTES = len(_END)
_MAX_KNOWN = 4096
_TOO_SOON_SECONDS = 1.0
_PAUSE_SECONDS = 10.0
_SIZE_LINE = re.compile(rb"[ \t]*([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\r?")
_LONGEST_LINE = 65536

Known = dict[bytes, tuple[int, int]]
"""The status and the size of the body that a head stands for."""


class KnownHeads:
    """Knows heads of final responses that set no cookie, say their size and keep the connection.

    Where each head is another (a request's number in it), it learns nothing for a while.
    """

    def __init__(self) -> None:
        self.known: Known = {}
        self._since = self._paused_until = 0.0

    def learn(self, data: bytes, status: int, body_bytes: int) -> None:
        """Take the head of a response that came as `data`, whole, with a body of so many bytes."""
        end = data.find(_END) + _END_BYTES
        if len(data) - end != body_bytes or sets_cookie(data):
            return  # chunked, or with odd line ends
        now = monotonic()
        if now < self._paused_until:
            return
        if len(self.known) >= _MAX_KNOWN:
            self.known.clear()
            soon, self._since = now - self._since < _TOO_SOON_SECONDS, now
            if soon:
                self._paused_until = now + _PAUSE_SECONDS
                return
        self.known[data[:end]] = status, body_bytes


KNOWN_HEADS = KnownHeads()
"""Of all connections of the process."""
_known = KNOWN_HEADS.known


class ChunkReader:
    """Reads a chunked body as RFC 9112, 7.1 lets a recipient, where httptools' parser gives up.

    Blanks may stand around the parts of an extension ("5 ; a = b"), and a line may end without CR.
    `complete` says that it has ended, `rest` is what follows.
    """

    def __init__(self) -> None:
        self.complete = False
        self.rest = b""
        self._step: Callable[[list[bytes]], bool] = self._read_size
        self._left = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the parts of the body in `data`; InvalidResponseError when it is malformed."""
        self.rest += data
        parts: list[bytes] = []
        while not self.complete and self._step(parts):
            pass
        return parts

    def _line(self) -> bytes | None:
        line, end, rest = self.rest.partition(b"\n")
        if len(line) > _LONGEST_LINE:
            raise InvalidResponseError(f"a line between chunks has more than {_LONGEST_LINE} bytes")
        if not end:
            return None
        self.rest = rest
        return line

    def _read_size(self, _: list[bytes]) -> bool:
        line = self._line()
        if line is None:
            return False
        found = _SIZE_LINE.fullmatch(line)
        if found is None:
            raise InvalidResponseError(
                f"the response is not HTTP/1.x: {line[:40]!r} is not a chunk size"
            )
        self._left = int(found[1], 16)
        self._step = self._read_data if self._left else self._read_trailer
        return True

    def _read_data(self, parts: list[bytes]) -> bool:
        part, self.rest = self.rest[: self._left], self.rest[self._left :]
        if part:
            parts.append(part)
        self._left -= len(part)
        if not self._left:
            self._step = self._read_end
        return not self._left

    def _read_end(self, _: list[bytes]) -> bool:
        line = self._line()
        if line is None:
            return False
        if line not in (b"", b"\r"):
            raise InvalidResponseError(
                "the response is not HTTP/1.x: a chunk is longer than its stated size"
            )
        self._step = self._read_size
        return True

    def _read_trailer(self, _: list[bytes]) -> bool:
        line = self._line()
        if line is None:
            return False
        self.complete = line in (b"", b"\r")
        return True


class Message:
    """A response on its way, the `requests`th over its connection.

    `status` is 0 until the head of a final response is there. `raw` then holds that head, perhaps
    preceded by interim responses and followed by more; `body` holds the body's parts. `complete`
    says that all of it is there, `finished` that the connection is done with it, `reusable` that
    another request may follow. `received_at` is when the last of it came, `first_byte_at` when the
    first did.
    """

    __slots__ = (
        "_chunks",
        "_events",
        "_head_only",
        "_parser",
        "body",
        "complete",
        "finished",
        "first_byte_at",
        "may_set_cookie",
        "raw",
        "received_at",
        "requests",
        "reusable",
        "status",
    )

    def __init__(self) -> None:
        self.requests = 0
        self.received_at = 0.0
        self.complete = True
        self._events: list[object] = []
        self._parser: HttpResponseParser | None = None
        self._chunks: ChunkReader | None = None

    def forget_parser(self) -> None:
        """Let the next response that needs one have a new parser; most need none, a head is known.

        It refers to itself by its callbacks.
        """
        if self._parser is not None:
            self._parser.__init__(None)  # type: ignore[misc]
            self._parser = None

    def begin(self, head_only: bool) -> None:
        """Expect a response; `head_only` says that it has no body whatever its header promises."""
        self.requests += 1
        self.status = 0
        self.raw = b""
        self.body: list[bytes] = []
        self.complete = self.finished = False
        self.reusable = True
        self._head_only = head_only

    def take_parts(self) -> list[bytes]:
        """Return the body's parts that have come since the last call."""
        parts, self.body = self.body, []
        return parts

    def _take(self, data: bytes) -> None:
        """Take in what was received; b"" is the end of the stream."""
        if not data:
            self._end()
            return
        begun = self.status != 0
        if not begun:
            if not self.raw:
                self.first_byte_at = self.received_at
                if _known and not self._head_only:
                    end = data.find(_END) + _END_BYTES
                    known = _known.get(data[:end])
                    if known is not None and known[1] == len(data) - end:
                        self.status, self.raw = known[0], data
                        self.body, self.complete = [data[end:]], True
                        self.may_set_cookie, self.finished = False, self.requests > 1
                        return
            self.raw += data
            self.may_set_cookie = True
        fault = self._parse(data)
        self._take_events()
        if self.complete:
            if not begun and self.reusable and not self._head_only:
                KNOWN_HEADS.learn(self.raw, self.status, sum(map(len, self.body)))
        elif fault and not (self._unchunk(data, begun) if self.status else self._mend()):
            raise InvalidResponseError(f"the response is not HTTP/1.x: {fault}")
        elif not self.status and len(self.raw) > MAX_HEAD_BYTES:
            raise InvalidResponseError(
                f"the response's header is larger than {MAX_HEAD_BYTES} bytes"
            )

    def _parse(self, data: bytes) -> str:
        """Feed the parser; return what it has against the data, "" for nothing."""
        if self._chunks is not None:
            self._take_chunks(data)
            return ""
        if self._parser is None:
            self._parser = parser_into(self._events)
        try:
            self._parser.feed_data(data)
        except HttpParserUpgrade:
            self.reusable = False
        except HttpParserError as error:
            self.reusable = False
            return str(error) or "malformed"
        return ""

    def _unchunk(self, data: bytes, begun: bool) -> bool:
        """Read a chunked body without the parser, which refused it; say if all of it is there."""
        fields = parse_head(self.raw)
        if not chunked(fields) or (begun and self.body):
            return False
        self.body, self._chunks = [], ChunkReader()
        self.reusable = keeps_connection(self.raw, fields)
        self.forget_parser()
        self._take_chunks(body_of(self.raw) + (data if begun else b""))
        return True

    def _take_chunks(self, data: bytes) -> None:
        chunks = self._chunks
        if chunks is None:
            return
        try:
            self.body += chunks.feed(data)
        except InvalidResponseError:
            self._chunks = None
            raise
        if chunks.complete:
            self._chunks, self.complete = None, True
            self.reusable = self.reusable and not chunks.rest

    def _mend(self) -> bool:
        """Parse a head that was refused once more, mended, or wait for its end; say if that goes.

        Only heads that the parser refuses come here.
        """
        raw = mended(self.raw)
        if raw is None:
            return True
        self.forget_parser()
        self._events.clear()
        self.raw, self.reusable = raw, True
        if self._parse(raw):
            return False
        self._take_events()
        return True

    def _take_events(self) -> None:
        events = self._events
        if (
            len(events) == WHOLE
            and events[3] is COMPLETE
            and events[1].__class__ is int
            and events[1] >= FIRST_FINAL_STATUS
            and events[2].__class__ is bytes
            and not self.complete
        ):
            self.status, self.body, self.complete = events[1], [events[2]], True
            events.clear()
            return
        for event in events:
            if event is COMPLETE:
                self.complete = self.status != 0
            elif self.complete:
                self.reusable = False  # the server sent more than was asked for
                break
            elif event.__class__ is bytes:
                self.body.append(event)
            elif event.__class__ is int:
                self._take_status(event)
        events.clear()

    def _take_status(self, status: int) -> None:
        if status < 0:
            self.reusable = False
            status = -status
        if status >= FIRST_FINAL_STATUS or status == SWITCHING_PROTOCOLS:
            self.status = status
            self.complete = self._head_only

    def _end(self) -> None:
        self.reusable = False
        if self.status and ends_with_connection(self.raw):
            self.complete = True
        elif self.raw:
            raise ConnectionClosedError(
                "the server closed the connection in the middle of a response"
            )
        elif self.requests > 1:
            raise StaleConnectionError("the server closed the connection that it had kept open")
        else:
            raise ConnectionClosedError("the server closed the connection without a response")
