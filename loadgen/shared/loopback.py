"""Which addresses and names are this machine's alone, and which requests may have meant them.

A page of another site can point its own name at 127.0.0.1 (DNS rebinding) and then read what a
server on loopback answers; such a request carries that name in its `Host` header.

Requests of the kit's own go through here as well: a proxy that the environment names
(`https_proxy`, as /etc/environment sets it at many sites) can't reach this machine's loopback.
"""

import ipaddress
import ssl
import urllib.request
from http.client import HTTPResponse
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Tell whether an address, or `localhost`, is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def meant_loopback(header: str) -> bool:
    """Tell whether a `Host` header names this machine: its address or `localhost`, any port."""
    try:
        return is_loopback(urlsplit(f"//{header}").hostname or "")
    except ValueError:
        return False


def open_directly(
    request: str | urllib.request.Request, timeout: float, context: ssl.SSLContext | None = None
) -> HTTPResponse:
    """Open a web address as `urlopen` does, and ask no proxy; `timeout` is in seconds.

    Raises what `urlopen` raises: OSError, ValueError and http.client.HTTPException.
    """
    direct = urllib.request.ProxyHandler({})
    opener = urllib.request.build_opener(direct, urllib.request.HTTPSHandler(context=context))
    answer: HTTPResponse = opener.open(request, timeout=timeout)
    return answer


def open_url(request: str | urllib.request.Request, timeout: float) -> HTTPResponse:
    """Open a web address that the user has given: this machine's own directly.

    Another machine's may lie behind the environment's proxy. Raises as `open_directly` does.
    """
    address = request if isinstance(request, str) else request.full_url
    if is_loopback(urlsplit(address).hostname or ""):
        return open_directly(request, timeout)
    answer: HTTPResponse = urllib.request.urlopen(request, timeout=timeout)  # noqa: S310
    return answer
