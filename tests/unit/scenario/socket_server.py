"""A server of WebSockets for tests: well-behaved by wsproto, or byte by byte as a test says.

Each connection is a greenlet that runs `script(peer)` after the handshake; `handshake` answers the
request's head itself, for servers that refuse.
"""

import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

import gevent
from gevent.server import StreamServer
from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    Request,
    TextMessage,
)
from wsproto.extensions import PerMessageDeflate
from wsproto.utilities import generate_accept_token

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Peer:
    """The server's end. `heard` are the frames of the client: opcode and content."""

    def __init__(self, sock: Any, head: str) -> None:
        self.sock = sock
        self.head = head
        self.heard: list[tuple[int, bytes]] = []

    def header(self, name: str) -> str:
        found = re.search(rf"^{name}: *(.*?)\r$", self.head, re.IGNORECASE | re.MULTILINE)
        return found.group(1) if found else ""

    def accept(self, *lines: str) -> Self:
        key = generate_accept_token(self.header("sec-websocket-key").encode()).decode()
        return self.raw(
            "\r\n".join(
                [
                    "HTTP/1.1 101 Switching Protocols",
                    "Upgrade: websocket",
                    "Connection: Upgrade",
                    f"Sec-WebSocket-Accept: {key}",
                    *lines,
                    "",
                    "",
                ]
            ).encode()
        )

    def raw(self, data: bytes) -> Self:
        self.sock.sendall(data)
        return self

    def frame(self, opcode: int, content: bytes = b"", *, last: bool = True, rsv: int = 0) -> Self:
        return self.raw(frame(opcode, content, last=last, rsv=rsv))

    def close(self, code: int, reason: bytes = b"") -> Self:
        return self.frame(CLOSE, struct.pack("!H", code) + reason)

    def hear(self) -> tuple[int, bytes]:
        first, second = self._exactly(2)
        size = second & 127
        if size == 126:
            (size,) = struct.unpack("!H", self._exactly(2))
        elif size == 127:
            (size,) = struct.unpack("!Q", self._exactly(8))
        mask = self._exactly(4)
        body = self._exactly(size)
        told = bytes(one ^ mask[at % 4] for at, one in enumerate(body[:1000]))
        self.heard.append((first & 15, told))
        return first & 15, told

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self.sock.recv(min(size - len(data), 65536))
            if not part:
                raise ConnectionError("the client is gone")
            data += part
        return data


def frame(opcode: int, content: bytes = b"", *, last: bool = True, rsv: int = 0) -> bytes:
    head = bytes([(128 if last else 0) | rsv << 4 | opcode])
    if len(content) < 126:
        return head + bytes([len(content)]) + content
    if len(content) < 65536:
        return head + b"\x7e" + struct.pack("!H", len(content)) + content
    return head + b"\x7f" + struct.pack("!Q", len(content)) + content


@contextmanager
def listening(handle: Callable[[Any], object]) -> Iterator[str]:
    """Listen on a free port, and give each connection to `handle`; yields the base URL."""

    def talk(sock: Any, _: object) -> None:
        try:
            handle(sock)
        except OSError:
            pass  # the client has left
        finally:
            sock.close()

    server = StreamServer(("127.0.0.1", 0), talk)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.stop(timeout=1)


@contextmanager
def serve(
    script: Callable[[Peer], object], handshake: Callable[[Peer], object] = Peer.accept
) -> Iterator[tuple[str, list[Peer]]]:
    """Serve on a free port; yields the base URL and the peers, one a connection."""
    peers: list[Peer] = []

    def handle(sock: Any) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            part = sock.recv(65536)
            if not part:
                return
            head += part
        peers.append(Peer(sock, head.decode("latin-1")))
        handshake(peers[-1])
        script(peers[-1])

    with listening(handle) as url:
        yield url, peers


@contextmanager
def echo(*, compress: bool) -> Iterator[str]:
    """Serve a WebSocket of wsproto's that answers each message with itself."""

    def handle(sock: Any) -> None:
        talk = WSConnection(ConnectionType.SERVER)
        while data := sock.recv(65536):
            talk.receive_data(data)
            for event in talk.events():
                sock.sendall(_answer(talk, event, compress))

    with listening(handle) as url:
        yield url


def _answer(talk: WSConnection, event: object, compress: bool) -> bytes:
    if isinstance(event, Request):
        extensions = [PerMessageDeflate()] if compress else []
        return talk.send(AcceptConnection(extensions=list(extensions)))
    if isinstance(event, TextMessage | BytesMessage):
        return talk.send(type(event)(event.data, message_finished=event.message_finished))  # type: ignore[arg-type]
    if isinstance(event, Ping | CloseConnection):
        return talk.send(event.response())
    return b""


def stay(peer: Peer) -> None:
    """Say nothing until the client says goodbye."""
    while peer.hear()[0] != CLOSE:
        pass
    peer.close(1000)


def be_deaf(_: Peer) -> None:
    """Take nothing from the connection."""
    gevent.sleep(60)
