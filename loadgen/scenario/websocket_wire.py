"""One WebSocket of a client, on wsproto: handshake, frames, pings and the goodbye.

A greenlet of its own reads from the connection, as a browser does: pings are answered and messages
get the time at which they came, also while the user thinks. It knows its wire only weakly, so that
a wire that nobody closes is closed when nobody has it any more.
"""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ssl import SSLContext
from weakref import ReferenceType, ref

import gevent
import gevent.socket
from gevent.event import Event
from gevent.lock import Semaphore
from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.extensions import Extension, PerMessageDeflate
from wsproto.utilities import ProtocolError

from loadgen.scenario.http.address import Resolver, connect
from loadgen.scenario.http.pool import OriginKey
from loadgen.shared.origin import is_header

Content = str | bytes
LARGEST_MESSAGE_BYTES = 64 * 1024 * 1024
UNREAD_BYTES_MAX = 1024 * 1024
"""When so much waits for the user, no more is read until the user has taken some of it."""
MESSAGE_BYTES = 100
"""What a message costs beside its content."""
RECEIVE_BYTES = 65536
GOODBYE_SECONDS = 1.0
PONG_SECONDS = 10.0
NORMAL_ENDS = {1000, 1001, 1005}
"""Close codes of a server that has nothing to complain of (RFC 6455, 7.4.1); 1005 stands for none.
"""
TOO_LATE = "timed out: the server did not send a whole message in time"
_TOO_BIG = 1009
_PROTOCOL_ERROR = 1002


class ClosedError(ConnectionError):
    """The WebSocket is closed: by the server's goodbye, or without one (`code` 1006)."""

    def __init__(self, sentence: str, code: int, reason: str = "") -> None:
        super().__init__(sentence)
        self.code = code
        self.reason = reason

    @classmethod
    def by_server(cls, code: int, reason: str | None) -> "ClosedError":
        """Return the server's goodbye."""
        said = "without a code" if code == 1005 else f"with code {code}"
        more = f": {reason}" if reason else ""
        return cls(f"the server closed the WebSocket {said}{more}", code, reason or "")

    @classmethod
    def broken(cls, why: str) -> "ClosedError":
        """Return the end of a connection without a goodbye."""
        return cls(f"the WebSocket's connection ended without a close frame: {why}", 1006)


class HandshakeError(ConnectionError):
    """The server opened no WebSocket."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a handshake asks for. `target` is the path with the query, percent-encoded."""

    target: str
    headers: Mapping[str, str]
    subprotocols: Sequence[str] = ()
    compress: bool = False
    extensions: list[Extension] = field(init=False)

    def __post_init__(self) -> None:
        """Make the extensions, which keep the state of one connection."""
        object.__setattr__(self, "extensions", [PerMessageDeflate()] if self.compress else [])

    def request(self, authority: str) -> Request:
        """Return the handshake's request. Raises ValueError for what no header can carry."""
        for name, value in self.headers.items():
            if not is_header(name, value):
                raise ValueError(f"the header {name!r} has a name or a value that can't be sent")
        return Request(
            host=authority,
            target=self.target,
            extensions=self.extensions,
            extra_headers=[
                (name.encode(), value.strip().encode("latin-1"))
                for name, value in self.headers.items()
            ],
            subprotocols=list(self.subprotocols),
        )


def open_wire(
    origin: OriginKey, resolver: Resolver, context: SSLContext | None, offer: Offer, seconds: float
) -> "Wire":
    """Connect and shake hands, within `seconds`.

    Raises OSError (HandshakeError, ClosedError and TimeoutError are some), and ValueError when the
    offer can't be sent.
    """
    late = TimeoutError(f"timed out: the WebSocket could not be opened within {seconds:g} s")
    sock = None
    try:
        with gevent.Timeout(seconds, late):
            plain = connect(resolver.resolve(origin.host, origin.port), seconds)
            sock = gevent.socket.socket(fileno=plain.detach())
            if context is not None:
                sock = context.wrap_socket(sock, server_hostname=origin.host)
            return _shake_hands(sock, origin.authority, offer)
    except BaseException as error:
        if sock is not None:
            sock.close()
        if isinstance(error, ProtocolError):
            raise HandshakeError(f"the server's WebSocket handshake is invalid: {error}") from error
        raise


def _shake_hands(sock: gevent.socket.socket, authority: str, offer: Offer) -> "Wire":
    talk = WSConnection(ConnectionType.CLIENT)
    sock.sendall(talk.send(offer.request(authority)))
    while True:
        data = sock.recv(RECEIVE_BYTES)
        if not data:
            raise HandshakeError("the server closed the connection without an answer")
        talk.receive_data(data)
        for event in talk.events():
            if isinstance(event, RejectConnection):
                raise HandshakeError(f"the answer has status {event.status_code} instead of 101")
            if isinstance(event, AcceptConnection):
                if offer.subprotocols and not event.subprotocol:
                    # As in browsers: https://websockets.spec.whatwg.org/#concept-websocket-establish
                    asked = ", ".join(offer.subprotocols)
                    raise HandshakeError(f"the server chose none of the subprotocols {asked}")
                return Wire(sock, talk, event.subprotocol or "")


class Wire:
    """An open WebSocket. `ended` is why no more messages will come, None while they may."""

    def __init__(self, sock: gevent.socket.socket, talk: WSConnection, subprotocol: str) -> None:
        self.subprotocol = subprotocol
        self.ended: OSError | None = None
        self._sock = sock
        self._talk = talk
        self._sending = Semaphore()
        self._pongs: list[bytes] = []
        self._parts: list[Content] = []
        self._size = 0
        self._unread: deque[tuple[float, Content, int]] = deque()
        self._unread_bytes = 0
        self._news = Event()
        self._room = Event()
        self._take_events()  # the server may have spoken together with its handshake
        if self._pongs:
            self._transmit(b"", PONG_SECONDS)
        self._reader = gevent.spawn(_read, ref(self), sock, self._room)

    def send(self, content: Content, seconds: float) -> int:
        """Send a message and return its size in bytes. Raises OSError: it isn't sent, or partly."""
        if self.ended is not None:
            raise self.ended
        event = TextMessage(content) if isinstance(content, str) else BytesMessage(content)
        with self._sending:
            self._transmit(self._talk.send(event), seconds)
        return _size_of(content)

    def receive(self, deadline: float) -> tuple[float, Content, int]:
        """Return the next message: when it came (`perf_counter`), content, size in bytes.

        Raises TimeoutError after `deadline` (`perf_counter`) and `ended`.
        """
        while not self._unread:
            if self.ended is not None:
                raise self.ended
            self._news.clear()
            if not self._news.wait(max(0.0, deadline - time.perf_counter())):
                raise TimeoutError(TOO_LATE)
        message = self._unread.popleft()
        self._unread_bytes -= message[2] + MESSAGE_BYTES
        self._room.set()
        return message

    def close(self) -> None:
        """Say goodbye, wait a second at most for the answer, and close."""
        try:
            if self.ended is None:
                with gevent.Timeout(GOODBYE_SECONDS, False):
                    self._say_goodbye(1000)
                    self._unread_bytes = 0
                    self._room.set()
                    self._reader.join()
        finally:
            self._shut()

    def take(self, data: bytes) -> None:
        """Take in what came; nothing is the connection's end."""
        if not data:
            why = "in the middle of a message" if self._parts else "the server closed it"
            self.end(ClosedError.broken(why))
            return
        self._talk.receive_data(data)
        self._take_events()
        if self._pongs and not self._sending.locked():
            with self._sending:
                self._transmit(b"", PONG_SECONDS)

    def end(self, why: OSError) -> None:
        """No more messages will come."""
        self.ended = self.ended or why
        self._news.set()

    def _take_events(self) -> None:
        for event in self._talk.events():
            if isinstance(event, TextMessage | BytesMessage):
                self._take_part(event.data, event.message_finished)
            elif isinstance(event, Ping):
                self._pongs.append(self._talk.send(event.response()))
            elif isinstance(event, CloseConnection):
                self._take_close(event)
            if self.ended is not None:
                return

    def _take_part(self, data: str | bytes | bytearray, finished: bool) -> None:
        part = data if isinstance(data, str) else bytes(data)
        if part:
            self._parts.append(part)
            self._size += _size_of(part)
        if self._size > LARGEST_MESSAGE_BYTES:
            self._give_up(_TOO_BIG, f"a message has more than {LARGEST_MESSAGE_BYTES:,} bytes")
        elif finished:
            whole = _joined(self._parts, part[:0])
            self._unread.append((time.perf_counter(), whole, self._size))
            self._unread_bytes += self._size + MESSAGE_BYTES
            self._parts, self._size = [], 0
            self._news.set()

    def _take_close(self, event: CloseConnection) -> None:
        """Take the server's goodbye, or wsproto's word for frames that break the rules."""
        if self._talk.state is ConnectionState.OPEN:
            self._give_up(int(event.code), f"the server broke the protocol: {event.reason}")
            return
        self.end(ClosedError.by_server(int(event.code), event.reason))
        if self._talk.state is ConnectionState.REMOTE_CLOSING:
            self._say_goodbye(int(event.code))

    def _give_up(self, code: int, why: str) -> None:
        self.end(ConnectionError(why))
        self._say_goodbye(code)

    def _say_goodbye(self, code: int) -> None:
        unsent = (OSError, ProtocolError)
        with suppress(*unsent), gevent.Timeout(GOODBYE_SECONDS, False), self._sending:
            self._sock.sendall(self._talk.send(CloseConnection(code)))

    def _transmit(self, data: bytes, seconds: float) -> None:
        """Send, and then what the reader had to say meanwhile."""
        late = TimeoutError(f"timed out: the message could not be sent within {seconds:g} s")
        try:
            with gevent.Timeout(seconds, late):
                self._sock.sendall(data)
                while self._pongs:
                    self._sock.sendall(self._pongs.pop(0))
        except OSError as error:
            self.end(error)  # half a frame may have left, so no other can follow it
            raise

    def _shut(self) -> None:
        self.end(ClosedError.broken("this user closed it"))
        self._room.set()
        self._sock.close()

    def __del__(self) -> None:
        self._shut()

    @property
    def full(self) -> bool:
        """Whether the user has to take messages before more are read."""
        return self._unread_bytes > UNREAD_BYTES_MAX and self.ended is None


def _joined(parts: list[Content], empty: Content) -> Content:
    return empty.join(parts)  # type: ignore[arg-type] # all of a message are of one kind


def _size_of(content: Content) -> int:
    if isinstance(content, bytes) or content.isascii():
        return len(content)
    return len(content.encode("utf-8", "surrogatepass"))


def _read(wire: "ReferenceType[Wire]", sock: gevent.socket.socket, room: Event) -> None:
    """Read for a wire until it has ended or nobody has it any more."""
    more = True
    while more:
        try:
            data = sock.recv(RECEIVE_BYTES)
            fault = None
        except OSError as error:
            data, fault = b"", error
        more = _hand_over(wire, data, fault, room)
        if more and len(data) == RECEIVE_BYTES:
            gevent.sleep(0)  # a server that always has more to say must not stop everybody else
        while more and not room.is_set():
            room.wait()


def _hand_over(
    wire: "ReferenceType[Wire]", data: bytes, fault: OSError | None, room: Event
) -> bool:
    """Hand over what came; tell whether more is to be read."""
    owner = wire()
    if owner is None:
        return False
    try:
        if fault is not None:
            owner.end(ClosedError.broken(str(fault)))
        else:
            owner.take(data)
    except OSError:
        return False  # it could not be answered: the wire has ended
    if owner.full:
        room.clear()
    else:
        room.set()
    return owner.ended is None
