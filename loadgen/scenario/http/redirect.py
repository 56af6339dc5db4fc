"""What a redirect asks for (RFC 9110, 15.4)."""

from urllib.parse import urljoin, urlsplit

from loadgen.scenario.http.errors import RedirectError

CODES = frozenset({301, 302, 303, 307, 308})
_KEEP_BODY = frozenset({307, 308})


def next_url(url: str, location: str) -> str:
    """Return where a redirect leads; RedirectError if that is not HTTP."""
    target = urljoin(url, location)
    scheme = urlsplit(target).scheme
    if scheme not in {"http", "https"}:
        raise RedirectError(f"the redirect from {url} leads to {scheme}:, which is not HTTP")
    return target


def next_method(status: int, method: str) -> str:
    """Return the method of the next request: 301 to 303 turn all but HEAD into GET."""
    return method if status in _KEEP_BODY or method == "HEAD" else "GET"


def keeps_body(status: int) -> bool:
    """Say whether the next request carries the body again."""
    return status in _KEEP_BODY
