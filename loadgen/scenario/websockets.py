"""WebSockets: connect, send, receive, and ask for an answer.

Rows, each under its name: `WS connect` to the end of the handshake, `WS send` until a message is
handed over, `WS receive` while one is waited for, `WS ask` from a message to its answer. What fails
is a failed row and raises WebSocketFault, which ends a task as Locust ends it. What the run's end
cuts off is in no row, as with HTTP. Times end when a message came, not when the user got to it.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from ssl import SSLContext
from types import TracebackType
from typing import ClassVar, Protocol, Self
from urllib.parse import unquote, urlsplit

from locust import User
from locust.env import Environment
from locust.exception import RescheduleTask

from loadgen.scenario.http.address import Resolver
from loadgen.scenario.http.pool import OriginKey
from loadgen.scenario.http.request import basic_auth, target_of
from loadgen.scenario.http.tls import is_insecure, shared_context
from loadgen.scenario.websocket_wire import (
    NORMAL_ENDS,
    TOO_LATE,
    ClosedError,
    Offer,
    Wire,
    open_wire,
)
from loadgen.shared.origin import web_origin
from loadgen.shared.request_names import group_path

Message = str | bytes


class WebSocketFault(RescheduleTask):
    """A connection could not be made, broke, or said nothing in time; it was counted as failed.

    `code` is the close code if the WebSocket has ended (1006 without the server's goodbye).
    """

    code: int | None = None

    @classmethod
    def of(cls, cause: Exception) -> "WebSocketFault":
        """Return the fault that a cause makes."""
        fault = cls(str(cause))
        fault.code = cause.code if isinstance(cause, ClosedError) else None
        return fault


class SocketUser(Protocol):
    """A user that opens WebSockets: Locust's, with TLS and a memory of names."""

    host: str | None
    environment: Environment
    resolver: ClassVar[Resolver]

    def tls_context(self) -> SSLContext:
        """Return the context of its connections."""

    def context(self) -> dict[str, object]:
        """Return what goes into the context of its request events."""


class Channel:
    """An open WebSocket; close it, or use it in a with-block.

    `subprotocol` is the one that the server chose, empty if none was asked for.
    """

    def __init__(self, user: SocketUser, wire: Wire, name: str) -> None:
        self.subprotocol = wire.subprotocol
        self._user = user
        self._wire = wire
        self._name = name

    @property
    def closed(self) -> bool:
        """Whether no more messages will come, beside those that `receive` has still to take."""
        return self._wire.ended is not None

    def send(self, message: Message, *, name: str = "", seconds: float = 10.0) -> None:
        """Send one message."""
        with _counted(self._user, "WS send", name or self._name) as counted:
            counted.size = self._wire.send(message, seconds)

    def receive(self, *, name: str = "", seconds: float = 10.0) -> Message:
        """Wait for the next message; one that has come already takes no time."""
        with _counted(self._user, "WS receive", name or self._name) as counted:
            deadline = counted.began + seconds
            counted.ended, message, counted.size = self._wire.receive(deadline)
        return message

    def hear(self, seconds: float) -> Message | None:
        """Return the next message; None when none comes in time, which is no fault here.

        None too when the server has said goodbye without a complaint (1000, 1001): see `closed`.
        """
        began = time.perf_counter()
        try:
            came, message, size = self._wire.receive(began + seconds)
        except OSError as fault:
            if isinstance(fault, ClosedError) and fault.code in NORMAL_ENDS:
                return None
            if isinstance(fault, TimeoutError) and not self.closed:
                return None
            self.count("WS receive", time.perf_counter() - began, 0, fault)
            raise WebSocketFault.of(fault) from fault
        self.count("WS receive", max(0.0, came - began), size, None)
        return message

    def count(self, kind: str, seconds: float, size: int, fault: Exception | None) -> None:
        """Count one step under this channel's name."""
        _fire(self._user, kind, self._name, seconds, size, fault)

    def ask(
        self,
        message: Message,
        *,
        name: str = "",
        seconds: float = 10.0,
        is_answer: Callable[[Message], bool] = lambda _: True,
    ) -> Message:
        """Send one message and wait for its answer: the first message that `is_answer` takes.

        What came before the message was sent is no answer to it. Messages before the answer are
        passed over.
        """
        with _counted(self._user, "WS ask", name or self._name) as counted:
            deadline = counted.began + seconds
            self._wire.send(message, seconds)
            came, answer, counted.size = self._wire.receive(deadline)
            while came < counted.began or not is_answer(answer):
                if came > deadline:
                    raise TimeoutError(TOO_LATE)
                came, answer, counted.size = self._wire.receive(deadline)
            counted.ended = came
        return answer

    def close(self) -> None:
        """Say goodbye and close; a connection that is gone already is closed too."""
        self._wire.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_channel(
    user: SocketUser,
    path: str,
    name: str,
    headers: Mapping[str, str],
    seconds: float,
    subprotocols: Sequence[str] = (),
    compress: bool = False,
) -> Channel:
    """Open a WebSocket to the user's host, as a page of the same site would."""
    base = urlsplit(str(user.host))
    site = web_origin(str(user.host))
    sent = {"origin": site}
    if base.username and base.password:
        line = basic_auth(unquote(base.username), unquote(base.password))
        sent["authorization"] = line.partition(": ")[2].rstrip()
    sent |= {field.lower(): value for field, value in headers.items()}
    target = target_of(f"{base.path.rstrip('/')}/{path.lstrip('/')}")
    with _counted(user, "WS connect", name):
        offer = Offer(target, sent, subprotocols, compress)
        key = OriginKey.of(site)
        context = user.tls_context() if key.scheme == "https" else None
        wire = open_wire(key, user.resolver, context, offer, seconds)
    return Channel(user, wire, name)


class WebSocketUser(User):
    """A user of WebSockets. `host` is a base URL, http or https as everywhere (ws and wss too)."""

    abstract = True

    insecure: bool | None = None
    """Whether to accept any TLS certificate; None: no, unless the run has --insecure-target."""

    connection_timeout = 10.0
    """Seconds for connecting and the handshake together."""

    compress = False
    """Whether to offer compression (permessage-deflate), as browsers do; it costs CPU time."""

    resolver: ClassVar[Resolver] = Resolver()
    """Remembers what names resolve to, for all users of the process."""

    def connect(
        self,
        path: str,
        *,
        name: str = "",
        headers: Mapping[str, str] | None = None,
        subprotocols: Sequence[str] = (),
    ) -> Channel:
        """Open a WebSocket. Raises WebSocketFault, after it was counted as failed.

        If `subprotocols` are offered, the server has to choose one, as in browsers. Redirects are
        not followed, as in browsers.
        """
        name = name or group_path(path)
        return open_channel(
            self, path, name, headers or {}, self.connection_timeout, subprotocols, self.compress
        )

    def tls_context(self) -> SSLContext:
        """Return the context of its connections."""
        return shared_context(is_insecure(self.insecure))


class _Counted:
    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.ended: float | None = None
        self.size = 0


@contextmanager
def _counted(user: SocketUser, kind: str, name: str) -> Iterator[_Counted]:
    """Count what happens in the block as one request; what is killed in it is not counted."""
    counted = _Counted()
    try:
        yield counted
    except Exception as error:
        _fire(user, kind, name, time.perf_counter() - counted.began, 0, error)
        if isinstance(error, OSError):
            raise WebSocketFault.of(error) from error
        raise
    ended = time.perf_counter() if counted.ended is None else counted.ended
    _fire(user, kind, name, max(0.0, ended - counted.began), counted.size, None)


def _fire(
    user: SocketUser, kind: str, name: str, seconds: float, size: int, fault: Exception | None
) -> None:
    user.environment.events.request.fire(
        request_type=kind,
        name=name,
        response_time=seconds * 1000,
        response_length=size,
        exception=fault,
        context=user.context(),
    )
