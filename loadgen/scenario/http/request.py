"""A request: from a locustfile's arguments to the bytes that go out.

Requests are sent again and again, so what of their bytes is the same is kept: a head is made once
for a method, a URL, a kind of body and the header fields that a task gives. Cookies and bodies
come fresh each time.
"""

import json as jsonlib
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from json import encoder as json_encoder
from typing import Any, NamedTuple
from urllib.parse import urlencode

from geventhttpclient.header import Headers
from requests.models import RequestEncodingMixin
from requests.utils import requote_uri

from loadgen.shared.origin import FORM, TOKEN, is_header

Fields = Mapping[str, Any]
Lines = dict[str, str]
"""Header lines by lower-case name, each with its CRLF; "" for one that is to be left out."""

_MAX_KEPT = 4096
_CHANGING = frozenset({"cookie", "content-length", "transfer-encoding"})
Key = tuple[object, ...]

_PLAIN_TARGET = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,/:;=?@]+")
_EMPTY_BODY = b"Content-Length: 0\r\n\r\n"
_BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})
_JSON_LINES = {
    "content-type": "Content-Type: application/json\r\n",
    "accept": "Accept: application/json\r\n",
}
IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})


def _content_type(kind: str) -> Lines:
    return {"content-type": f"Content-Type: {kind}\r\n"}


NO_LINES: Lines = {}
_TEXT_LINES = _content_type("text/plain; charset=utf-8")
_FORM_LINES = _content_type(f"{FORM}; charset=utf-8")
_BYTES_LINES = _content_type("application/octet-stream")


class Request:
    """What was sent: `method`, `url`, `body` and, parsed on demand, `headers`.

    `head` are the bytes that were sent, at least up to the end of the header.
    """

    __slots__ = ("body", "head", "lines", "method", "target", "url")

    def __init__(
        self,
        method: str,
        url: str,
        target: str,
        lines: Lines,
        body: bytes | None,
        head: bytes = b"",
    ) -> None:
        self.method = method
        self.url = url
        self.target = target
        self.lines = lines
        self.body = body
        self.head = head

    @property
    def payload(self) -> bytes | None:
        """The body, under the name that FastHttpUser gives it."""
        return self.body

    @property
    def headers(self) -> Headers:
        """The header fields that were sent, looked up without regard to case."""
        fields = Headers()
        head = self.head.partition(b"\r\n\r\n")[0]
        for line in head.decode("latin-1").split("\r\n")[1:]:
            name, colon, value = line.partition(":")
            if colon:
                fields.add(name, value.strip())
        return fields

    def start(self, lines: str) -> bytes:
        """Return the first line and header lines, given their text; `finish` adds the rest."""
        return f"{self.method} {self.target} HTTP/1.1\r\n{lines}".encode("latin-1")

    def finish(self, start: bytes) -> bytes:
        """Return the request's bytes: `start`, the lines that describe the body, and the body."""
        body = self.body
        if body is None:
            self.head = start + (_EMPTY_BODY if self.method in _BODY_METHODS else b"\r\n")
            return self.head
        if "transfer-encoding" in self.lines:
            self.head = start + b"\r\n"
            return self.head + (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n"
        if "content-length" in self.lines:
            self.head = start + b"\r\n"
        else:
            self.head = b"%bContent-Length: %d\r\n\r\n" % (start, len(body))
        return self.head + body


class Kept(NamedTuple):
    """A request whose body is still to come, its bytes up to there, and all of it without one."""

    request: Request
    start: bytes
    whole: bytes

    def with_body(self, body: bytes) -> Request:
        """Return a request of this kind with a body of its own; its `head` is all that is sent."""
        kept = self.request
        sent = b"%bContent-Length: %d\r\n\r\n%b" % (self.start, len(body), body)
        return Request(kept.method, kept.url, kept.target, kept.lines, body, sent)

    @classmethod
    def of(cls, request: Request, start: bytes) -> "Kept":
        """Keep a request of this kind."""
        empty = Request(request.method, request.url, request.target, request.lines, None)
        return cls(empty, start, empty.finish(start))

    def again(self, body: bytes | None) -> Request:
        """Return a request of this kind with a body of its own."""
        kept = self.request
        return Request(kept.method, kept.url, kept.target, kept.lines, body)


Heads = dict[Key, Kept]
"""The kept requests of all users, by what a session's have in common, method, URL, kind of body."""


def with_texts(key: Key, headers: Mapping[str, Any]) -> Key | None:
    """Return the key of a request with header fields of its own; None if it can't be kept.

    1, True and 1.0 are equal but not the same header, so header fields must be texts.
    """
    for value in headers.values():
        if value.__class__ is not str:
            return None
    return *key, *headers.items()


def keep(heads: Heads, key: Key, request: Request, start: bytes) -> None:
    """Keep a request, unless its header fields say how long its body is, or are a cookie."""
    if _CHANGING.isdisjoint(request.lines):
        if len(heads) >= _MAX_KEPT:
            heads.clear()
        heads[key] = Kept.of(request, start)


def target_of(path: str, params: Any = None) -> str:
    """Return a request target: `path` with `params` added to its query, escaped where needed."""
    if params:
        path = path.partition("#")[0]
        escaped = not isinstance(params, str) and _PLAIN_TARGET.fullmatch(path)
        query = params if isinstance(params, str) else urlencode(_without_none(params), doseq=True)
        path += ("&" if "?" in path else "?") + query
        if escaped:
            return path
    if _PLAIN_TARGET.fullmatch(path):
        return path
    requoted: str = requote_uri(path.partition("#")[0])
    return requoted


def _without_none(params: Any) -> list[tuple[Any, Any]]:
    pairs = params.items() if isinstance(params, Mapping) else params
    return [(name, value) for name, value in pairs if value is not None]


def header_lines(headers: Fields) -> Lines:
    """Return `headers` as lines by lower-case name; a value of None leaves the header out.

    Raises ValueError for a name or a value that HTTP has no room for, a line break above all.
    """
    return {name.lower(): _line(name, value) for name, value in headers.items()}


def _line(name: str, value: Any) -> str:
    if value is None:
        return ""
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    if not is_header(name, text):
        raise ValueError(
            f"the header {name!r}: {text!r} can't be sent: a header name must be a "
            f"single word, and a value must be Latin-1 text without line breaks; correct "
            f"it in the locustfile"
        )
    return f"{name}: {text}\r\n"


def basic_auth(user: str | bytes, password: str | bytes) -> str:
    """Return the Authorization line of RFC 7617, in latin-1 as FastHttpUser has it."""
    raw = b":".join(
        part.encode("latin-1") if isinstance(part, str) else part for part in (user, password)
    )
    return f"Authorization: Basic {b64encode(raw).decode('ascii')}\r\n"


def checked_method(method: str) -> str:
    """Return the method in capitals; ValueError if it is no token."""
    if not TOKEN.fullmatch(method):
        raise ValueError(
            f"the method {method!r} can't be sent: a method must be a single word; "
            f"correct it in the locustfile"
        )
    return method.upper()


def encode_body(data: Any, json: Any, files: Any) -> tuple[bytes | None, Lines]:
    """Return the body, and the header lines that describe it unless the locustfile gives its own.

    `data` is str, bytes, a mapping (a form), a file, or an iterable of parts; `json` is used if
    `data` is empty; `files` makes it multipart/form-data. Files and iterables are read whole.
    """
    if files:
        return _multipart(files, data)
    if not data:
        return (None, NO_LINES) if json is None else (to_json(json), _JSON_LINES)
    if isinstance(data, str):
        return data.encode(), _TEXT_LINES
    if isinstance(data, Mapping):
        return urlencode(data, doseq=True).encode(), _FORM_LINES
    return _whole(data), _BYTES_LINES


def to_json(value: Any) -> bytes:
    """Return JSON as `json.dumps` writes it, whose encoder is made once here instead of each time.

    Raises TypeError and ValueError as `json.dumps`.
    """
    try:
        return "".join(_encode(value, 0)).encode()
    except RecursionError:  # a circle, which the one encoder for all does not look for
        return jsonlib.dumps(value).encode()


def _refuse(value: object) -> None:
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


_encode: Callable[[Any, int], Iterable[str]] = json_encoder.c_make_encoder(  # type: ignore[attr-defined]
    None, _refuse, json_encoder.encode_basestring_ascii, None, ": ", ", ", False, False, True
)


def _whole(data: Any) -> bytes:
    if isinstance(data, bytes | bytearray | memoryview):
        return bytes(data)
    if hasattr(data, "read"):
        data = [data.read()]
    parts: Iterable[str | bytes] = data
    return b"".join(part.encode() if isinstance(part, str) else part for part in parts)


def _multipart(files: Any, data: Any) -> tuple[bytes, Lines]:
    """Encode a form with files as `requests` does, whose form of `files` this is."""
    if isinstance(data, str | bytes):
        raise TypeError("data must be a form (a dict) when files are given")
    body, content_type = RequestEncodingMixin._encode_files(files, data)
    return body, _content_type(content_type)
