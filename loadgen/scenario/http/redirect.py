"""What a redirect asks for (RFC 9110, 15.4)."""

from urllib.parse import quote, urljoin, urlsplit

from geventhttpclient.header import Headers

from loadgen.scenario.http.errors import RedirectError

CODES = frozenset({301, 302, 303, 307, 308})
_SEE_OTHER = 303
_KEEP_BODY = frozenset({307, 308})
_ASCII = "".join(map(chr, range(0x21, 0x7F)))


def location_of(headers: Headers | None) -> str:
    """Return where a response wants the client to go, "" if it does not say, or says two things.

    Header fields are latin-1 here. A Location's bytes are meant as UTF-8, as browsers take them;
    others are percent-encoded as they are.
    """
    places = set(headers.getlist("location")) if headers is not None else set()
    if len(places) != 1:
        return ""
    raw = places.pop().encode("latin-1").strip()
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return quote(raw, safe=_ASCII)


def next_url(url: str, location: str) -> str:
    """Return where a redirect leads; RedirectError if that is not HTTP, or no URL at all."""
    try:
        target = urljoin(url, location)
        scheme = urlsplit(target).scheme
    except ValueError as error:
        raise RedirectError(
            f"the redirect from {url} to {location!r} is invalid: {error}"
        ) from error
    if scheme not in {"http", "https"}:
        raise RedirectError(
            f"the redirect from {url} leads to a URL with {scheme}:, not http: or https:"
        )
    return target


def next_method(status: int, method: str) -> str:
    """Return the next request's method: 303 asks for GET; 301 and 302 turn POST into it."""
    if status in _KEEP_BODY or method == "HEAD":
        return method
    return "GET" if status == _SEE_OTHER or method == "POST" else method


def keeps_body(status: int, method: str) -> bool:
    """Say whether the next request carries the body of a request by `method` again."""
    return status in _KEEP_BODY or (method != "HEAD" and next_method(status, method) == method)
