"""Keeps connections: one pool a user unless users are told to share, one origin for each server."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from ssl import SSLContext, SSLSession
from time import perf_counter
from typing import NamedTuple
from urllib.parse import urlsplit

from gevent.event import AsyncResult

from loadgen.scenario.http.address import Resolver, connect
from loadgen.scenario.http.connection import Connection
from loadgen.scenario.http.tls import TlsConnection

_DEFAULT_PORTS = {"http": 80, "https": 443}


class OriginKey(NamedTuple):
    """Scheme, host and port: what a connection can be kept for (RFC 6454)."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "OriginKey":
        """Return a URL's origin; ValueError if it is not an http or https URL."""
        parts = urlsplit(url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise ValueError(f"{url!r} is no URL of a web server: give it as http(s)://host[:port]")
        return cls(parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme])

    @property
    def host_line(self) -> str:
        """The Host header line of a request to this origin."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"Host: {host}{port}\r\n"


class Timeouts(NamedTuple):
    """Seconds: for each attempt to connect, and for each wait for data."""

    connect: float
    read: float

    @classmethod
    def of(cls, timeout: float | tuple[float, float]) -> "Timeouts":
        """Return the limits that a request's `timeout` argument stands for."""
        return cls(*timeout) if isinstance(timeout, tuple) else cls(timeout, timeout)


@dataclass
class Settings:
    """What every connection of a pool shares."""

    resolver: Resolver
    timeouts: Timeouts
    concurrency: int
    context: Callable[[], SSLContext]


class Origin:
    """The connections to one server: at most `concurrency`, those not in use kept for the next."""

    def __init__(self, key: OriginKey, settings: Settings) -> None:
        self.key = key
        self.host_line = key.host_line
        self._settings = settings
        self._idle: list[Connection] = []
        self._open = 0
        self._waiting: deque[AsyncResult] = deque()
        self._session: SSLSession | None = None

    def acquire(
        self, connection_timeout: float, check: bool = False, fresh: bool = False
    ) -> Connection:
        """Return a kept connection, or a new one; wait when `concurrency` are in use.

        `check` makes sure that a kept one is alive, `fresh` asks for a new one. Raises
        OSError when no connection can be made.
        """
        while self._idle:
            connection = self._idle.pop()
            if not (connection.closed or fresh or (check and not connection.alive())):
                return connection
            connection.close()
            self._open -= 1
        while self._open >= self._settings.concurrency:
            handed_over = self._wait()
            if handed_over is not None and not handed_over.closed:
                return handed_over
        self._open += 1
        try:
            return self._connect(connection_timeout)
        except BaseException:
            self._open -= 1
            self._admit_next(None)
            raise

    def release(self, connection: Connection) -> None:
        """Take a connection back, open or closed."""
        if connection.session is not None:
            self._session = connection.session
        if connection.closed:
            self._open -= 1
            self._admit_next(None)
        elif not self._admit_next(connection):
            self._idle.append(connection)

    def _wait(self) -> Connection | None:
        turn = AsyncResult()
        self._waiting.append(turn)
        try:
            handed_over: Connection | None = turn.get()
        except BaseException:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif turn.value is not None:
                self.release(turn.value)
            raise
        return handed_over

    def _admit_next(self, connection: Connection | None) -> bool:
        if not self._waiting:
            return False
        self._waiting.popleft().set(connection)
        return True

    def _connect(self, timeout: float) -> Connection:
        started = perf_counter()
        scheme, host, port = self.key
        sock = connect(self._settings.resolver.resolve(host, port), timeout)
        if scheme != "https":
            return Connection(sock, perf_counter() - started)
        connection = TlsConnection(sock)
        connection.start(self._settings.context(), host, self._session)
        connection.handshake(perf_counter(), timeout)
        connection.connect_time = perf_counter() - started
        return connection

    def close(self) -> None:
        """Close the connections that are not in use."""
        while self._idle:
            self._idle.pop().close()
            self._open -= 1


@dataclass
class Pool:
    """A user's origins; give one to several users to let them share connections."""

    settings: Settings
    origins: dict[OriginKey, Origin] = field(default_factory=dict)

    def origin(self, key: OriginKey) -> Origin:
        """Return the connections to one server."""
        origin = self.origins.get(key)
        if origin is None:
            origin = self.origins[key] = Origin(key, self.settings)
        return origin

    def close(self) -> None:
        """Close the connections that are not in use."""
        for origin in self.origins.values():
            origin.close()
