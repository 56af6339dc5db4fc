"""One HTTP/1.1 connection: sends a request, suspends the greenlet, parses the response.

The client's hot path. What keeps it short:

- The socket is plain and non-blocking. One `read` watcher lives as long as the connection: it wakes
  the greenlet that waits for a response, and between requests it notices at once that the server
  has closed, or has spoken without being asked, so a kept connection is hardly ever stale.
- One timer a connection. A request only notes its deadline; the timer compares when it fires.
- The parser calls back into C, not Python (head.py). Headers are parsed from `raw` later, and only
  when somebody looks at them.

Times are `time.perf_counter()` seconds. A response's end is when the kernel received it, not when
this process got round to reading it: a busy generator would count its own delay as the target's.
The kernel's stamp is of another clock, so what is taken over from it is the time since then.
"""

import socket
from math import inf
from ssl import SSLSession
from struct import Struct
from time import perf_counter, time
from typing import Any
from weakref import ReferenceType, ref

from gevent import get_hub, getcurrent

from loadgen.scenario.http.errors import ConnectionClosedError, StaleConnectionError
from loadgen.scenario.http.message import Message

RECEIVE_BYTES = 65536
_WRITABLE = "writable"
_STAMP_BYTES = socket.CMSG_SPACE(3 * 16)
_unpack_time = Struct("qq").unpack_from
_JUST_SECONDS = 0.001
_TCP_ESTABLISHED = 1  # linux/tcp.h


class Connection(Message):
    """A connected socket and the message that is being received over it."""

    __slots__ = (
        "__weakref__",
        "_deadline",
        "_greenlet",
        "_paused",
        "_receive_message",
        "_send_bytes",
        "_sent_at",
        "_sock",
        "_suspend",
        "_timeout",
        "_timer",
        "_timer_due",
        "_watcher",
        "closed",
        "connect_time",
        "read_at",
        "session",
    )

    def __init__(self, sock: socket.socket, connect_time: float = 0.0) -> None:
        super().__init__()
        hub = get_hub()
        self.session: SSLSession | None = None
        self.connect_time = connect_time
        self.closed = self._paused = False
        self._sock = sock
        self._send_bytes = sock.send
        self._receive_message = sock.recvmsg
        self._suspend = hub.switch
        self._greenlet: Any = None
        self._deadline = self._timer_due = inf
        self._timer: Any = None
        self._watcher = hub.loop.io(sock.fileno(), 1)
        self._watcher.start(_on_readable, ref(self))

    def send(self, request: bytes, now: float, timeout: float, head_only: bool = False) -> None:
        """Send a request and wait until the head of its response is there.

        `timeout` is in seconds, for each wait; `head_only` says that the response has no body
        whatever its header promises. Raises OSError, InvalidResponseError, and
        StaleConnectionError when the server had closed before the request; the connection is then
        closed.
        """
        self.begin(head_only)
        self._timeout = timeout
        self._sent_at = now
        self._deadline = deadline = now + timeout
        if deadline < self._timer_due:
            self._arm(timeout)
        try:
            self._transmit(request)
            while not self.status:
                self.receive()
        except ConnectionClosedError:
            self.close()
            raise
        except ConnectionError as error:
            self.close()
            if self.raw or self.requests == 1:
                raise
            raise StaleConnectionError(f"the kept connection was closed: {error}") from error
        except BaseException:
            self.close()
            raise

    def finish(self) -> None:
        """Wait for the rest of the response; the connection may be used again if `reusable`."""
        while not self.complete:
            self.receive_more()
        self.finished = True
        if not self.reusable:
            self.close()
        elif self._head_only:
            self.forget_parser()  # it waits for the body that the header promises

    def receive_more(self) -> None:
        """Wait for the next part of the body; raises as `send` does."""
        self._deadline = perf_counter() + self._timeout
        try:
            self.receive()
        except BaseException:
            self.close()
            raise

    def receive(self) -> None:
        """Wait for more of the response and take it in; `received_at` is when it came."""
        data = None
        while data is None:
            if self._paused:
                self._resume()
            self._greenlet = getcurrent()
            try:
                self._suspend()
            finally:
                self._greenlet = None
            data = self._read()
        self._take(data)

    def _wait(self) -> object:
        """Suspend this greenlet until the socket is ready; TimeoutError after the deadline."""
        if self._paused:
            self._resume()
        self._greenlet = getcurrent()
        try:
            return self._suspend()
        finally:
            self._greenlet = None

    def _resume(self) -> None:
        self._paused = False
        self._watcher.start(_on_readable, ref(self))

    def _read(self) -> bytes | None:
        """Return what has arrived, b"" at the end of the stream, None if there is nothing yet."""
        try:
            data, ancillary, _, _ = self._receive_message(RECEIVE_BYTES, _STAMP_BYTES)
        except BlockingIOError:
            return None
        wall = time()  # read first: what happens in between must not shorten the response time
        self.received_at = self.read_at = now = perf_counter()
        if ancillary:
            seconds, nanoseconds = _unpack_time(ancillary[0][2])
            lag = wall - seconds - nanoseconds * 1e-9
            if 0 < lag < now - self._sent_at:
                self.received_at = now - lag
        return data

    def _transmit(self, data: bytes) -> None:
        try:
            sent = self._send_bytes(data)
        except BlockingIOError:
            sent = 0
        except ConnectionError as error:
            if self.requests > 1:
                raise StaleConnectionError(
                    "the server had closed the connection", sent=False
                ) from error
            raise
        if sent != len(data):
            self._transmit_rest(memoryview(data)[sent:])

    def _transmit_rest(self, rest: memoryview) -> None:
        """Send what the socket's buffer did not take; stop early if the server answers."""
        writer = get_hub().loop.io(self._sock.fileno(), 2)
        writer.start(_on_writable, ref(self))
        try:
            while rest and not self.status:
                if self._wait() is _WRITABLE:
                    rest = rest[self._send_some(rest) :]
                    self._deadline = perf_counter() + self._timeout
                elif (data := self._read()) is not None:
                    self._take(data)
        except BrokenPipeError:
            self.reusable = False  # an answer may have come before the server closed
        finally:
            writer.stop()
            writer.close()
        if rest:
            self.reusable = False

    def _send_some(self, rest: memoryview) -> int:
        try:
            return self._send_bytes(rest)
        except BlockingIOError:
            return 0

    def _arm(self, seconds: float) -> None:
        """Let the timer fire in `seconds`; the deadline may have moved on by then."""
        self._disarm()
        self._timer = get_hub().loop.timer(seconds, ref=False)
        self._timer.start(_on_timer, ref(self))
        self._timer_due = self._deadline

    def _disarm(self) -> None:
        self._timer_due = inf
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None

    def on_timer(self) -> None:
        """Time out the waiting greenlet if its deadline has passed; the event loop calls this."""
        self._disarm()
        if self._greenlet is None:
            return
        remaining = self._deadline - perf_counter()
        if remaining > 0:
            self._arm(remaining)
        else:
            self._greenlet.throw(
                TimeoutError(f"timed out: the server sent nothing for {self._timeout:g} s")
            )

    def on_ready(self, reason: object) -> None:
        """Resume the waiting greenlet, or judge an event without one; the event loop calls this."""
        if self._greenlet is not None:
            self._greenlet.switch(reason)
        elif self.complete:
            self._on_idle()
        else:
            self._watcher.stop()  # a streamed body that its reader has not asked for yet
            self._paused = True

    def _on_idle(self) -> None:
        """Close: the server has closed, or spoken without being asked."""
        self.close()

    def alive(self) -> bool:
        """Ask the kernel whether the server has closed: it may have while the loop was busy.

        A connection that has just been read from is taken for alive: a server that closes keeps
        one for longer, or says so in its response.
        """
        if perf_counter() - self.read_at < _JUST_SECONDS:
            return True
        state = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)
        return state[0] == _TCP_ESTABLISHED

    def close(self) -> None:
        """Close the socket; does nothing the second time."""
        if self.closed:
            return
        self.closed = True
        self._watcher.stop()
        self._watcher.close()
        self._disarm()
        self._sock.close()
        self.forget_parser()

    def __del__(self) -> None:
        self.close()


def _on_readable(reference: "ReferenceType[Connection]") -> None:
    connection = reference()
    if connection is None:
        return
    if connection._greenlet is not None:
        connection._greenlet.switch()
    else:
        connection.on_ready(None)


def _on_writable(reference: "ReferenceType[Connection]") -> None:
    connection = reference()
    if connection is not None:
        connection.on_ready(_WRITABLE)


def _on_timer(reference: "ReferenceType[Connection]") -> None:
    connection = reference()
    if connection is not None:
        connection.on_timer()
