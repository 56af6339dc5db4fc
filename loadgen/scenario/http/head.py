"""The head of a response, parsed only when somebody looks at it."""

import re
from contextlib import suppress

from geventhttpclient.header import Headers
from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

_FIRST_FINAL_STATUS = 200
_SWITCHING_PROTOCOLS = 101
_SET_COOKIE = re.compile(rb"\r\nset-cookie:", re.IGNORECASE)


class _Head:
    """Collects the header fields of the first final response; trailers are left out."""

    def __init__(self) -> None:
        self.fields = Headers()
        self.done = False
        self.parser = HttpResponseParser(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.done:
            self.fields.add(name.decode("latin-1"), value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        status = self.parser.get_status_code()
        if status >= _FIRST_FINAL_STATUS or status == _SWITCHING_PROTOCOLS:
            self.done = True
        elif not self.done:
            self.fields = Headers()


def parse_head(raw: bytes) -> Headers:
    """Return the header fields of the final response in `raw`, which the client has received."""
    head = _Head()
    with suppress(HttpParserError, HttpParserUpgrade):  # what follows the head is not its affair
        head.parser.feed_data(raw)
    return head.fields


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
    return _SET_COOKIE.search(raw, 0, end) is not None
