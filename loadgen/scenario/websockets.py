"""WebSockets on websocket-client: connect, send, receive, and ask for an answer.

Rows, each under its name: `WS connect` to the end of the handshake, `WS send` until a message is
handed over, `WS receive` while one is waited for, `WS ask` from a message to its answer. What fails
is a failed row and raises WebSocketFault, which ends a task as Locust ends it.
"""

import os
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import websocket
from locust import User
from locust.exception import RescheduleTask

from loadgen.shared.origin import web_origin
from loadgen.shared.request_names import group_path

Message = str | bytes
NO_PROXY: dict[str, Any] = {"http_proxy_host": "none", "http_no_proxy": ["*"]}
"""As with HTTP, no proxy of the environment's; websocket-client heeds this beside a name only."""


class WebSocketFault(RescheduleTask):
    """A connection could not be made, broke, or said nothing in time; it was counted as failed."""


class Channel:
    """An open WebSocket; close it, or use it in a with-block."""

    def __init__(self, user: User, socket: websocket.WebSocket, name: str) -> None:
        self._user = user
        self._socket = socket
        self._name = name

    def send(self, message: Message, *, name: str = "") -> None:
        """Send one message."""
        with _counted(self._user, "WS send", name or self._name) as counted:
            self._send(message)
            counted.size = len(message)

    def receive(self, *, name: str = "", seconds: float = 10.0) -> Message:
        """Wait for the next message."""
        with _counted(self._user, "WS receive", name or self._name) as counted:
            message = self._receive(time.monotonic() + seconds)
            counted.size = len(message)
        return message

    def hear(self, seconds: float) -> Message | None:
        """Return the next message, None when none comes in time: that is no fault here."""
        began = time.perf_counter()
        try:
            message = self._receive(time.monotonic() + seconds)
        except websocket.WebSocketTimeoutException:
            return None
        except (OSError, websocket.WebSocketException) as fault:
            self.count("WS receive", time.perf_counter() - began, 0, fault)
            raise WebSocketFault from fault
        self.count("WS receive", time.perf_counter() - began, len(message), None)
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
        """Send one message and wait for its answer: the first message that `is_answer` takes."""
        with _counted(self._user, "WS ask", name or self._name) as counted:
            deadline = time.monotonic() + seconds
            self._send(message)
            answer = self._receive(deadline)
            while not is_answer(answer):
                answer = self._receive(deadline)
            counted.size = len(answer)
        return answer

    def close(self) -> None:
        """Say goodbye and close; a connection that is gone already is closed too."""
        try:
            self._socket.close(timeout=1)
        except (OSError, websocket.WebSocketException):
            self._socket.shutdown()  # type: ignore[no-untyped-call]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _send(self, message: Message) -> None:
        if isinstance(message, bytes):
            self._socket.send_binary(message)
        else:
            self._socket.send(message)

    def _receive(self, deadline: float) -> Message:
        self._socket.settimeout(max(0.001, deadline - time.monotonic()))
        message: Message = self._socket.recv()
        return message


def open_channel(
    user: User, path: str, name: str, headers: Mapping[str, str], timeout: float
) -> Channel:
    """Open a WebSocket to the user's host, as a page of the same site would."""
    host = web_origin(str(user.host))
    base = str(user.host).partition("://")[2].partition("/")[2].rstrip("/")
    url = f"{host.replace('http', 'ws', 1)}{f'/{base}' if base else ''}/{path.lstrip('/')}"
    insecure = bool(getattr(user, "insecure", False))
    checks = {"cert_reqs": ssl.CERT_NONE, "check_hostname": False} if insecure else {}
    with _counted(user, "WS connect", name):
        socket = websocket.create_connection(
            url, timeout=timeout, header=dict(headers), origin=host, sslopt=checks, **NO_PROXY
        )
    return Channel(user, socket, name)


class WebSocketUser(User):
    """A user of WebSockets. `host` is a base URL, http or https as everywhere (ws and wss too)."""

    abstract = True
    insecure = os.environ.get("INSECURE_TARGET") == "1"
    connection_timeout = 10.0

    def connect(
        self, path: str, *, name: str = "", headers: Mapping[str, str] | None = None
    ) -> Channel:
        """Open a WebSocket. Raises WebSocketFault, after it was counted as failed."""
        name = name or group_path(path)
        return open_channel(self, path, name, headers or {}, self.connection_timeout)


class _Counted:
    size = 0


@contextmanager
def _counted(user: User, kind: str, name: str) -> Iterator[_Counted]:
    """Count what happens in the block as one request."""
    counted, began, fault = _Counted(), time.perf_counter(), None
    try:
        yield counted
    except (OSError, websocket.WebSocketException) as error:
        fault = error
        raise WebSocketFault from error
    finally:
        _fire(user, kind, name, time.perf_counter() - began, counted.size, fault)


def _fire(
    user: User, kind: str, name: str, seconds: float, size: int, fault: Exception | None
) -> None:
    user.environment.events.request.fire(
        request_type=kind,
        name=name,
        response_time=seconds * 1000,
        response_length=size,
        exception=fault,
        context=user.context(),
    )
