"""Resolves names, with a memory, and connects sockets; all of it yields to other greenlets."""

import errno
import os
import re
import socket
from contextlib import suppress
from time import monotonic
from typing import Any

import gevent.monkey
import gevent.socket
from gevent.lock import Semaphore

PlainSocket = gevent.monkey.get_original("socket", "socket")
Address = tuple[int, Any]
"""Address family and socket address."""
_MAX_ANSWER_BYTES = 65536
_SO_TIMESTAMPING = 37  # asm-generic/socket.h
_ON_ARRIVAL = 1 << 3 | 1 << 4  # software stamps of received data (linux/net_tstamp.h)
_TUNNEL_OPEN = re.compile(r"HTTP/1\.[01] 2\d\d")


class Resolver:
    """getaddrinfo with a memory of `ttl_seconds`; users that ask at once share one lookup."""

    def __init__(self, ttl_seconds: float = 60.0) -> None:
        self._ttl_seconds = ttl_seconds
        self._known: dict[tuple[str, int], tuple[float, list[Address]]] = {}
        self._lock = Semaphore()

    def resolve(self, host: str, port: int) -> list[Address]:
        """Return the addresses in the order to try them; raises socket.gaierror."""
        known = self._lookup(host, port)
        if known is None:
            with self._lock:
                known = self._lookup(host, port)
                if known is None:
                    known = self._ask(host, port)
        return known

    def _lookup(self, host: str, port: int) -> list[Address] | None:
        expires, addresses = self._known.get((host, port), (0.0, []))
        return addresses if monotonic() < expires else None

    def _ask(self, host: str, port: int) -> list[Address]:
        found = gevent.socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [(family, address) for family, _type, _protocol, _name, address in found]
        self._known[(host, port)] = (monotonic() + self._ttl_seconds, addresses)
        return addresses


def connect(addresses: list[Address], timeout: float) -> socket.socket:
    """Connect to the first address that answers; `timeout` is in seconds, for each.

    Raises the first address's OSError when none does.
    """
    first_error: OSError | None = None
    for family, address in addresses:
        try:
            return _connect(family, address, timeout)
        except OSError as error:
            first_error = first_error or error
    raise first_error or OSError(errno.EADDRNOTAVAIL, "the name resolves to no address")


def _connect(family: int, address: Any, timeout: float) -> socket.socket:
    sock: socket.socket = PlainSocket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError):  # a kernel that can't leaves the process's own clock
            sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPING, _ON_ARRIVAL)
        _await_connection(sock, address, timeout)
    except BaseException:
        sock.close()
        raise
    return sock


def _await_connection(sock: socket.socket, address: Any, timeout: float) -> None:
    code = sock.connect_ex(address)
    if code == errno.EINPROGRESS:
        late = TimeoutError(f"timed out: {address[0]} accepted no connection within {timeout:g} s")
        gevent.socket.wait_write(sock.fileno(), timeout, timeout_exc=late)
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if code:
        raise OSError(code, os.strerror(code))


def open_tunnel(sock: socket.socket, authority: str, timeout: float) -> None:
    """Ask the HTTP proxy at the other end for a tunnel to `authority` (RFC 9110, 9.3.6).

    `timeout` is in seconds, for each wait. Raises OSError, and closes the socket, when the proxy
    refuses.
    """
    try:
        sock.sendall(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            late = TimeoutError(f"timed out: the proxy did not answer within {timeout:g} s")
            gevent.socket.wait_read(sock.fileno(), timeout, timeout_exc=late)
            part = sock.recv(_MAX_ANSWER_BYTES)
            answer += part
            if not part or len(answer) > _MAX_ANSWER_BYTES:
                break
        status = answer.partition(b"\r\n")[0].decode("latin-1")
    except BaseException:
        sock.close()
        raise
    if not _TUNNEL_OPEN.match(status):
        sock.close()
        raise ConnectionRefusedError(
            errno.ECONNREFUSED, f"the proxy refused a tunnel to {authority}: it answered {status!r}"
        )
