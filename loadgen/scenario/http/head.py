"""Parses responses by httptools: their events as they come, their heads when somebody looks.

httptools calls back into C: a message becomes a list of events,

    [BEGIN, status, body part, ..., COMPLETE]

A negative status says that the connection ends with the message. A head that the parser refuses is
mended, if RFC 9112 lets a recipient do that.
"""

import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial

from geventhttpclient.header import Headers
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

BEGIN = "begin"
COMPLETE = "complete"
WHOLE = 4
"""The number of events of a response that comes whole, its body in one part."""
FIRST_FINAL_STATUS = 200
SWITCHING_PROTOCOLS = 101
_SET_COOKIE = re.compile(rb"\n[sS][eE][tT]-[cC][oO][oO][kK][iI][eE]:")  # IGNORECASE is slower
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_INTERIM = re.compile(rb"\s*HTTP/\d\.\d 1(?!01)\d\d")
_RESPONSE = re.compile(rb"\s*HTTP/1\.[01] [1-9]\d\d[ \r\n]")
_FOLD = re.compile(rb"\r?\n[ \t]+")


def tolerate(parser: HttpResponseParser) -> HttpResponseParser:
    """Let a parser take what RFC 9112 says that a recipient must or may take.

    Folded lines (5.2), blanks after a chunk's size (7.1.1), line ends without CR (2.2).
    """
    parser.set_dangerous_leniencies(
        lenient_headers=True,
        lenient_optional_cr_before_lf=True,
        lenient_spaces_after_chunk_size=True,
    )
    return parser


class _Callbacks:
    """What httptools looks up in a protocol, once, when a parser is made."""

    def __init__(self, events: list[object]) -> None:
        self.on_message_begin = partial(events.append, BEGIN)
        self.on_body = events.append
        self.on_message_complete = partial(events.append, COMPLETE)
        self.on_headers_complete: Callable[[], None]


def parser_into(events: list[object]) -> HttpResponseParser:
    """Return a parser that appends what it finds in a response to `events`."""
    callbacks = _Callbacks(events)
    parser = HttpResponseParser.__new__(HttpResponseParser)
    get_status, should_keep_alive = parser.get_status_code, parser.should_keep_alive
    append = events.append

    def on_headers_complete() -> None:
        status = get_status()
        append(status if should_keep_alive() else -status)

    callbacks.on_headers_complete = on_headers_complete
    parser.__init__(callbacks)  # type: ignore[misc]
    return tolerate(parser)


class _Head:
    """Collects the header fields of the first final response; trailers are left out."""

    def __init__(self) -> None:
        self.fields = Headers()
        self.done = False
        self.parser = tolerate(HttpResponseParser(self))

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.done:
            # RFC 9110, 5.5: a NUL is refused or becomes a blank.
            text = value.replace(b"\0", b" ").decode("latin-1")
            self.fields.add(name.decode("latin-1"), text)

    def on_headers_complete(self) -> None:
        status = self.parser.get_status_code()
        if status >= FIRST_FINAL_STATUS or status == SWITCHING_PROTOCOLS:
            self.done = True
        elif not self.done:
            self.fields = Headers()


def parse_head(raw: bytes) -> Headers:
    """Return the header fields of the final response in `raw`, which the client has received."""
    head = _Head()
    with suppress(HttpParserError, HttpParserUpgrade):  # what follows the head is not its affair
        head.parser.feed_data(raw)
    return head.fields


def mended(raw: bytes) -> bytes | None:
    """Return `raw` with its head as the parser takes it; None while its end has not come.

    Content-Lengths that say the same become one, and none beside a Transfer-Encoding, which has
    precedence (RFC 9112, 6.3); `identity`, which is no transfer coding any more, and blanks before
    a colon go. Other faults stay, so the parser refuses them again.
    """
    end = _END_OF_HEAD.search(raw)
    if end is None:
        return None if _RESPONSE.match(raw) else raw
    head, rest = raw[: end.start()], raw[end.end() :]
    if _INTERIM.match(head):
        following = mended(rest)
        return None if following is None else raw[: end.end()] + following
    first, *lines = _FOLD.sub(b" ", head).replace(b"\r\n", b"\n").split(b"\n")
    return b"\r\n".join([first, *_framed(lines), b"", b""]) + rest


def body_of(raw: bytes) -> bytes:
    """Return what follows the head of the final response in `raw`."""
    start = 0
    while _INTERIM.match(raw, start) and (end := _END_OF_HEAD.search(raw, start)):
        start = end.end()
    end = _END_OF_HEAD.search(raw, start)
    return raw[end.end() :] if end else b""


def keeps_connection(raw: bytes, fields: Headers) -> bool:
    """Say whether a response lets its connection be used again (RFC 9112, 9.3)."""
    options = ",".join(fields.getlist("connection")).lower()
    return b"HTTP/1.0 " not in raw[:64] and "close" not in options


def _framed(lines: list[bytes]) -> list[bytes]:
    fields = [(name.rstrip(b" \t"), colon, value) for name, colon, value in map(_split, lines)]
    coded = any(_is_coding(name, value) for name, _, value in fields)
    lengths: dict[bytes, None] = {}
    kept = []
    for name, colon, value in fields:
        if name.lower() == b"content-length":
            lengths |= dict.fromkeys(each.strip(b" \t") for each in value.split(b","))
        elif name.lower() != b"transfer-encoding" or _is_coding(name, value):
            kept.append(name + colon + value)
    return kept + [b"Content-Length: " + length for length in lengths if not coded]


def _split(line: bytes) -> tuple[bytes, bytes, bytes]:
    return line.partition(b":")


def _is_coding(name: bytes, value: bytes) -> bool:
    return name.lower() == b"transfer-encoding" and value.strip().lower() != b"identity"


def ends_with_connection(raw: bytes) -> bool:
    """Say whether a response's body goes on until the server closes (RFC 9112, 6.3)."""
    fields = parse_head(raw)
    return "content-length" not in fields and not chunked(fields)


def chunked(fields: Headers) -> bool:
    """Say whether chunked is the last transfer coding."""
    codings = ",".join(fields.getlist("transfer-encoding")).lower()
    return codings.rpartition(",")[2].strip() == "chunked"


def sets_cookie(raw: bytes) -> bool:
    """Say whether a response's head may hold a Set-Cookie, without parsing it."""
    interim = raw.startswith(b"1", 9)
    end = len(raw) if interim else raw.find(b"\r\n\r\n")
    return _SET_COOKIE.search(raw, 0, end if end > 0 else len(raw)) is not None
