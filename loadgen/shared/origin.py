"""A URL's origin as browsers write it: https://html.spec.whatwg.org/#ascii-serialisation-of-an-origin."""

from urllib.parse import urlsplit

import idna

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
    host = f"[{parts.hostname}]" if ":" in parts.hostname else _ascii(parts.hostname)
    return f"{parts.scheme}://{host}{port}"


def web_origin(url: str) -> str:
    """Return the origin of the page that a URL, also a WebSocket's, belongs to."""
    found = origin(url)
    return found.replace("ws", "http", 1) if found.startswith("ws") else found


def _ascii(host: str) -> str:
    """Return a host's name in punycode; as it is when no rule of IDNA fits it."""
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except idna.IDNAError:
        return host
