"""Cookies as browsers have them (RFC 6265), in the standard library's jar.

`CookieJar` keeps Netscape's rules of 1994: it sends a host's own cookies to its subdomains and
refuses `Domain=localhost`. So the jar only stores here; what comes in and what goes out is decided
by the algorithms of RFC 6265, 5.1 to 5.4. The answer for a URL is remembered until the jar changes.
"""

import ipaddress
import re
from datetime import UTC, datetime
from functools import lru_cache
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from itertools import count
from math import inf
from time import time
from typing import NamedTuple
from urllib.parse import urlsplit

from geventhttpclient.header import Headers

from loadgen.shared.origin import canonical

_MAX_REMEMBERED = 64
_AFTER_SCHEME = len("https://")
_BLANKS = " \t"
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_DATE_TOKEN = re.compile(r"[^\t\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_CLOCK = re.compile(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?!\d)")
_DAY = re.compile(r"(\d{1,2})(?!\d)")
_YEAR = re.compile(r"(\d{2,4})(?!\d)")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FIRST_YEAR = 1601
_SECONDS = re.compile(r"-?\d+")


class _Site(NamedTuple):
    """What of a URL decides about cookies."""

    secure: bool
    host: str
    path: str

    @classmethod
    def of(cls, url: str) -> "_Site":
        parts = urlsplit(url)
        return cls(parts.scheme == "https", canonical(parts.hostname or ""), parts.path or "/")


class Jar(CookieJar):
    """A CookieJar with browsers' rules, which answers quickly which Cookie header a URL gets."""

    def __init__(self) -> None:
        super().__init__(DefaultCookiePolicy(rfc2965=False))
        self._numbers = count()
        self._created: dict[tuple[str, str, str], int] = {}
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
        self.clear_expired_cookies()
        self._valid_until = min((c.expires for c in self if c.expires is not None), default=inf)
        self._same_for_every_path = all(cookie.path == "/" for cookie in self)

    def _ask(self, url: str) -> str:
        site = _Site.of(url)
        cookies = [cookie for cookie in self if _goes_to(cookie, site)]
        cookies.sort(key=lambda c: (-len(c.path), self._created.get(_key(c), 0)))
        return "; ".join(f"{c.name}={c.value}" if c.value is not None else c.name for c in cookies)

    def take(self, url: str, headers: Headers) -> None:
        """Take in the Set-Cookie lines of a response to `url`."""
        site = _Site.of(url)
        for line in headers.getlist("set-cookie"):
            cookie = parse_cookie(line, site.host, site.path)
            if cookie is None:
                continue
            self.set_cookie(cookie)
            if cookie.is_expired():
                self.clear(cookie.domain, cookie.path, cookie.name)

    def _changed(self) -> None:
        self._remembered: dict[str, str] = {}
        self._valid_until = 0.0
        self._same_for_every_path = False

    def set_cookie(self, cookie: Cookie) -> None:
        """Put a cookie into the jar."""
        self._changed()
        self._created.setdefault(_key(cookie), next(self._numbers))
        super().set_cookie(cookie)

    def clear(
        self, domain: str | None = None, path: str | None = None, name: str | None = None
    ) -> None:
        """Take cookies out of the jar: one, those of a path or a domain, or all."""
        self._changed()
        super().clear(domain, path, name)
        kept = {_key(cookie) for cookie in self}
        self._created = {key: number for key, number in self._created.items() if key in kept}


def _key(cookie: Cookie) -> tuple[str, str, str]:
    return cookie.domain, cookie.path, cookie.name


def _goes_to(cookie: Cookie, site: _Site) -> bool:
    """Say whether a request to `site` carries the cookie (5.4); without domain, any does."""
    if cookie.secure and not site.secure:
        return False
    domain = cookie.domain.removesuffix(".local") if "." not in site.host else cookie.domain
    if domain not in {"", site.host} and not (
        domain.startswith(".") and _in_domain(site.host, domain[1:])
    ):
        return False
    return _below(site.path, cookie.path)


def _in_domain(host: str, domain: str) -> bool:
    """Domain matching (5.1.3)."""
    return host == domain or (host.endswith("." + domain) and not _is_address(host))


def _below(path: str, parent: str) -> bool:
    """Path matching (5.1.4)."""
    return path.startswith(parent) and (
        len(path) == len(parent) or parent.endswith("/") or path[len(parent)] == "/"
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def parse_cookie(line: str, host: str, path: str) -> Cookie | None:
    """Return the cookie that a response from `host` and `path` sets, None to ignore it (5.2, 5.3).

    A domain of one label is taken for a public suffix: only its own host may name it.
    """
    pair, *attributes = line.split(";")
    name, equals, value = (part.strip(_BLANKS) for part in pair.partition("="))
    if not equals or not name or _CONTROL.search(line):
        return None
    given = _attributes(attributes)
    try:
        domain = canonical(given.get("domain", "").removeprefix("."))
    except ValueError:
        return None
    if domain and not _in_domain(host, domain):
        return None
    shared = "." in domain and not _is_address(host)
    if domain and not shared and domain != host:
        return None
    given_path = given.get("path", "")
    return Cookie(
        version=0,
        name=name,
        value=value,
        port=None,
        port_specified=False,
        domain="." + domain if shared else host,
        domain_specified=shared,
        domain_initial_dot=shared,
        path=given_path if given_path.startswith("/") else default_path(path),
        path_specified=given_path.startswith("/"),
        secure="secure" in given,
        expires=_expiry(given),
        discard=_expiry(given) is None,
        comment=None,
        comment_url=None,
        rest={"HttpOnly": ""} if "httponly" in given else {},
    )


def _attributes(parts: list[str]) -> dict[str, str]:
    """Return attributes by lower-case name; the last of a name counts, and bad dates don't."""
    given: dict[str, str] = {}
    for part in parts:
        name, _, value = (text.strip(_BLANKS) for text in part.partition("="))
        if _understood(name.lower(), value):
            given[name.lower()] = value
    return given


def _understood(attribute: str, value: str) -> bool:
    if attribute == "max-age":
        return _SECONDS.fullmatch(value) is not None
    if attribute == "expires":
        return parse_date(value) is not None
    return attribute != "domain" or value != ""


def _expiry(given: dict[str, str]) -> int | None:
    if "max-age" in given:
        seconds = int(given["max-age"][:15])
        return int(time()) + seconds if seconds > 0 else 0
    return parse_date(given["expires"]) if "expires" in given else None


def default_path(path: str) -> str:
    """Return the path that a cookie without one is for (5.1.4)."""
    parent = path.rpartition("/")[0]
    return parent if parent.startswith("/") else "/"


@lru_cache(maxsize=256)
def parse_date(text: str) -> int | None:
    """Return a cookie's date as Unix seconds, None if it is none (5.1.1)."""
    found: dict[str, tuple[int, ...]] = {}
    for token in _DATE_TOKEN.findall(text):
        if "clock" not in found and (match := _CLOCK.match(token)):
            found["clock"] = tuple(map(int, match.groups()))
        elif "day" not in found and (match := _DAY.match(token)):
            found["day"] = (int(match[1]),)
        elif "month" not in found and token[:3].lower() in _MONTHS:
            found["month"] = (_MONTHS.index(token[:3].lower()) + 1,)
        elif "year" not in found and (match := _YEAR.match(token)):
            found["year"] = (int(match[1]),)
    if len(found) < len(("clock", "day", "month", "year")):
        return None
    year = found["year"][0] + (1900 if 70 <= found["year"][0] <= 99 else 0)
    year += 2000 if year < 70 else 0
    if year < _FIRST_YEAR:
        return None
    try:
        hour, minute, second = found["clock"]
        moment = datetime(year, found["month"][0], found["day"][0], hour, minute, second, 0, UTC)
    except ValueError:
        return None
    return int(moment.timestamp())
