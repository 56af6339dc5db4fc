"""Keeps connections: one pool a user unless users are told to share, one origin for each server."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from ssl import SSLContext, SSLSession
from time import perf_counter
from typing import NamedTuple
from urllib.parse import urlsplit

from gevent.event import AsyncResult

from loadgen.scenario.http.address import Resolver, connect, open_tunnel
from loadgen.scenario.http.connection import Connection
from loadgen.scenario.http.tls import TlsConnection, shared_context
from loadgen.shared.origin import DEFAULT_PORTS, canonical


class OriginKey(NamedTuple):
    """Scheme, host and port: what a connection can be kept for (RFC 6454)."""

    scheme: str
    host: str
    port: int

    @classmethod
    def of(cls, url: str) -> "OriginKey":
        """Return a URL's origin; ValueError if it is not an http or https URL."""
        try:
            parts = urlsplit(url)
            host, port = canonical(parts.hostname or ""), parts.port
        except ValueError as error:
            raise ValueError(f"{url!r} is not the URL of a web server: {error}") from error
        if parts.scheme not in ("http", "https") or not host:
            raise ValueError(
                f"{url!r} is not the URL of a web server: give it as http(s)://host[:port]"
            )
        return cls(parts.scheme, host, DEFAULT_PORTS[parts.scheme] if port is None else port)

    @property
    def authority(self) -> str:
        """Host and port as a Host header has them: no default port, no zone of an address."""
        host = f"[{self.host.partition('%')[0]}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def text(self) -> str:
        """The origin as an Origin header has it (RFC 6454, 6.2)."""
        return f"{self.scheme}://{self.authority}"


class Timeouts(NamedTuple):
    """Seconds: for each attempt to connect, and for each wait for data."""

    connect: float
    read: float

    @classmethod
    def of(cls, timeout: float | tuple[float, float]) -> "Timeouts":
        """Return the limits that a request's `timeout` argument stands for."""
        return cls(*timeout) if isinstance(timeout, tuple) else cls(timeout, timeout)


_TIMEOUTS = Timeouts(60.0, 60.0)
_VERIFYING = partial(shared_context, False)


@dataclass
class Settings:
    """What every connection of a pool shares: `concurrency` counts for each server by itself.

    `proxy` is the host and port of an HTTP proxy that every connection goes through.
    """

    resolver: Resolver = field(default_factory=Resolver)
    timeouts: Timeouts = _TIMEOUTS
    concurrency: int = 10
    context: Callable[[], SSLContext] = _VERIFYING
    proxy: tuple[str, int] | None = None


class Origin:
    """The connections to one server: at most `concurrency`, those not in use kept for the next."""

    def __init__(self, key: OriginKey, settings: Settings) -> None:
        self.key = key
        self.host_line = f"Host: {key.authority}\r\n"
        via_proxy = settings.proxy is not None and key.scheme == "http"
        self.target_prefix = key.text if via_proxy else ""
        self._settings = settings
        self._idle: list[Connection] = []
        self._open = 0
        self._waiting: list[AsyncResult] = []
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
        elif self._waiting:
            self._admit_next(connection)
        else:
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
        self._waiting.pop(0).set(connection)
        return True

    def _connect(self, timeout: float) -> Connection:
        started = perf_counter()
        scheme, host, port = self.key
        proxy = self._settings.proxy
        sock = connect(self._settings.resolver.resolve(*(proxy or (host, port))), timeout)
        if scheme != "https":
            return Connection(sock, perf_counter() - started)
        if proxy:
            open_tunnel(sock, f"[{host}]:{port}" if ":" in host else f"{host}:{port}", timeout)
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

    settings: Settings = field(default_factory=Settings)
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
