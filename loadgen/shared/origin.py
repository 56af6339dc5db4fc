"""What HTTP writes: a URL's host and origin as browsers have them, and which headers it carries.

https://html.spec.whatwg.org/#ascii-serialisation-of-an-origin; RFC 9110, 5.1 and 5.5
"""

import re
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

import idna

TOKEN = re.compile(r"[!#$%&'*+.^`|~\w-]+", re.ASCII)
"""A name of a header or a method."""
_FIELD_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
FORM = "application/x-www-form-urlencoded"
"""The content type of a form's fields."""
DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


def origin(url: str) -> str:
    """Return a URL's scheme, host and port: in lower case, names in punycode, no default port.

    A user's name and password, path and query are left out. Raises ValueError when the URL has no
    host or an impossible port.
    """
    parts = urlsplit(url.strip())
    if not parts.hostname:
        raise ValueError(f"{parts.scheme}:// has no host")
    port = "" if parts.port in {None, DEFAULT_PORTS.get(parts.scheme)} else f":{parts.port}"
    named = parts.hostname
    host = f"[{_shortest(named)}]" if ":" in named else canonical(named)
    return f"{parts.scheme}://{host}{port}"


def _shortest(address: str) -> str:
    """Return an IPv6 address in its one canonical form (RFC 5952); as it is if it has a zone."""
    try:
        return ip_address(address).compressed
    except ValueError:
        return address


def web_origin(url: str) -> str:
    """Return the origin of the page that a URL, also a WebSocket's, belongs to."""
    found = origin(url)
    return found.replace("ws", "http", 1) if found.startswith("ws") else found


@lru_cache(maxsize=1024)
def canonical(host: str) -> str:
    """Return a host as browsers send it: in lower case, and in ASCII (UTS 46, then punycode).

    Raises ValueError if a host has no such form.
    """
    host = unquote(host).lower()
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise ValueError(f"{host!r} is not a valid host name: {error}; correct it") from error


def is_header(name: str, value: str) -> bool:
    """Tell whether a header of this name and value can be sent."""
    return TOKEN.fullmatch(name) is not None and _FIELD_VALUE.fullmatch(value) is not None
