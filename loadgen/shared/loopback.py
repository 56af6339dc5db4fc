"""Which addresses and names are this machine's alone, and which requests may have meant them.

A page of another site can point its own name at 127.0.0.1 (DNS rebinding) and then read what a
server on loopback answers; such a request carries that name in its `Host` header.
"""

import ipaddress
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
