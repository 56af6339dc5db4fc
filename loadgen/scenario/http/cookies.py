"""Cookies: the standard library's jar, and a memory of the header that it makes.

The jar decides which cookies a request gets (RFC 6265's rules, as browsers have them). It takes
tens of microseconds to do so, hence the memory, which any change to the jar empties.
"""

from http.client import HTTPMessage
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from math import inf
from time import time
from typing import Any
from urllib.request import Request

from geventhttpclient.header import Headers

_MAX_REMEMBERED = 64
_AFTER_SCHEME = len("https://")


class _Answer:
    """What CookieJar.extract_cookies asks a response for."""

    def __init__(self, headers: Headers) -> None:
        self._message = HTTPMessage()
        for value in headers.getlist("set-cookie"):
            self._message["Set-Cookie"] = value

    def info(self) -> HTTPMessage:
        return self._message


class Jar(CookieJar):
    """A CookieJar that answers quickly which Cookie header a URL gets."""

    def __init__(self) -> None:
        super().__init__(DefaultCookiePolicy(rfc2965=False))
        self._changed()

    def header(self, url: str) -> str:
        """Return the value of the Cookie header for a request to `url`, "" for none."""
        if time() >= self._valid_until:
            self._review()
        key = url[: url.find("/", _AFTER_SCHEME)] if self._same_for_every_path else url
        value = self._remembered.get(key)
        if value is None:
            value = self._ask(url)
            if len(self._remembered) >= _MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[key] = value
        return value

    def _review(self) -> None:
        self._remembered.clear()
        self._valid_until = min((cookie.expires for cookie in self if cookie.expires), default=inf)
        self._same_for_every_path = all(cookie.path == "/" for cookie in self)

    def _ask(self, url: str) -> str:
        request = Request(url)  # noqa: S310 - nothing is opened
        self.add_cookie_header(request)
        return request.get_header("Cookie") or ""

    def take(self, url: str, headers: Headers) -> None:
        """Take in the Set-Cookie lines of a response to `url`."""
        answer: Any = _Answer(headers)
        self.extract_cookies(answer, Request(url))  # noqa: S310 - nothing is opened

    def _changed(self) -> None:
        self._remembered: dict[str, str] = {}
        self._valid_until = 0.0
        self._same_for_every_path = False

    def set_cookie(self, cookie: Cookie) -> None:
        """Put a cookie into the jar."""
        self._changed()
        super().set_cookie(cookie)

    def clear(
        self, domain: str | None = None, path: str | None = None, name: str | None = None
    ) -> None:
        """Take cookies out of the jar: one, those of a path or a domain, or all."""
        self._changed()
        super().clear(domain, path, name)
