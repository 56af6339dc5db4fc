"""Requests that are sent again and again: what of their bytes is the same, kept.

A head is made once for a method, a URL, a kind of body and the header fields that a task gives.
Cookies and bodies come fresh each time.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from loadgen.scenario.http.request import Lines, Request

_MAX_KEPT = 4096
_CHANGING = frozenset({"cookie", "content-length", "transfer-encoding"})
Key = tuple[object, ...]


class Kept(NamedTuple):
    """A request whose body is still to come, its bytes up to there, and all of it without one."""

    request: Request
    start: bytes
    whole: bytes

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
"""The kept requests of all users."""


def key_of(
    common: str, method: str, url: str, kind: Lines, headers: Mapping[str, Any] | None
) -> Key | None:
    """Return what a kept request is found by; None if it can't be kept.

    `common` is what a session's requests have in common, `kind` are the lines of a kind of body.
    1, True and 1.0 are equal but not the same header, so header fields must be texts.
    """
    if not headers:
        return common, method, url, kind.get("content-type")
    for value in headers.values():
        if value.__class__ is not str:
            return None
    return common, method, url, kind.get("content-type"), *headers.items()


def keep(heads: Heads, key: Key, request: Request, start: bytes) -> None:
    """Keep a request, unless its header fields say how long its body is, or are a cookie."""
    if _CHANGING.isdisjoint(request.lines):
        if len(heads) >= _MAX_KEPT:
            heads.clear()
        heads[key] = Kept.of(request, start)
