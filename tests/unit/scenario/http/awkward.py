"""A raw-socket server that misbehaves on purpose: each path is a script."""

import gzip
import json
import socket
import struct
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import brotli
import gevent
import gevent.ssl
from gevent.server import StreamServer

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PLAIN = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"
TEXT = "grüße " * 100
BIG = bytes(range(256)) * 4096


@dataclass
class Received:
    """One request as it arrived; `connection` numbers the connections in their order."""

    connection: int
    method: str
    target: str
    fields: list[tuple[str, str]]
    body: bytes

    def values(self, name: str) -> list[str]:
        return [value for key, value in self.fields if key.lower() == name]


@dataclass
class Awkward:
    """A running server: what it received, and how many connections it has accepted."""

    url: str = ""
    received: list[Received] = field(default_factory=list)
    connections: int = 0


def response(body: bytes = b"hello", *fields: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def encoded(coding: str, body: bytes) -> bytes:
    return response(body, f"Content-Encoding: {coding}", "Content-Type: text/plain; charset=utf-8")


def _raw_deflate(data: bytes) -> bytes:
    squeeze = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return squeeze.compress(data) + squeeze.flush()


_TEXT = TEXT.encode()
_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_CLOSES = "Connection: close"
# What the server says to each path. An entry that ends with None closes the connection.
SAYS: dict[str, list[bytes | None]] = {
    "/plain": [PLAIN],
    "/empty": [response(b"")],
    "/chunked": [_CHUNKED + b"3\r\nhel\r\n2;name=value\r\nlo\r\n0\r\n\r\n"],
    "/trailers": [_CHUNKED + b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nSet-Cookie: late=1\r\n\r\n"],
    "/early-hints": [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + PLAIN],
    "/processing": [b"HTTP/1.1 102 Processing\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", PLAIN],
    "/204": [b"HTTP/1.1 204 No Content\r\n\r\n"],
    "/204-with-length": [b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"],
    "/304": [b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: x\r\n\r\n"],
    "/until-close": [b"HTTP/1.1 200 OK\r\n\r\nhello", None],
    "/http10": [b"HTTP/1.0 200 OK\r\n\r\nhello", None],
    "/http10-keep": [
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello"
    ],
    "/close": [response(b"hello", _CLOSES), None],
    "/closes-unannounced": [PLAIN, None],
    "/no-answer": [None],
    "/truncated": [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello", None],
    "/cut-off-redirect": [
        b"HTTP/1.1 302 Found\r\nLocation: /plain\r\nContent-Length: 100\r\n\r\nhello",
        None,
    ],
    "/truncated-head": [b"HTTP/1.1 200 OK\r\nContent-Le", None],
    "/truncated-chunk": [_CHUNKED + b"a\r\nhello", None],
    "/no-last-chunk": [_CHUNKED + b"5\r\nhello\r\n", None],
    "/bad-chunk": [_CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n"],
    "/not-http": [b"SSH-2.0-OpenSSH_9.2\r\n"],
    "/bad-status": [b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n"],
    "/bad-length": [b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\nhello"],
    "/two-lengths": [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"],
    "/garbage-after": [PLAIN + b"garbage"],
    "/answers-twice": [PLAIN + PLAIN],
    "/answers-late": [PLAIN, b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n", None],
    "/no-reason": [b"HTTP/1.1 200\r\nContent-Length: 5\r\n\r\nhello"],
    "/odd-case": [b"HTTP/1.1 200 OK\r\ncOnTeNt-LeNgTh: 5\r\nX-A: 1\r\nx-a: 2\r\n\r\nhello"],
    "/folded": [b"HTTP/1.1 200 OK\r\nX-Folded: a\r\n b\r\nContent-Length: 5\r\n\r\nhello"],
    "/drip": [PLAIN[index : index + 1] for index in range(len(PLAIN))],
    "/big": [response(BIG)],
    "/big-header": [response(b"hello", "X-Big: " + "x" * 30000)],
    "/endless-header": [b"HTTP/1.1 200 OK\r\n", *[b"X-More: " + b"x" * 8000 + b"\r\n"] * 100],
    "/upgrade": [b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n"],
    "/gzip": [encoded("gzip", gzip.compress(_TEXT))],
    "/x-gzip-upper": [encoded("GZIP", gzip.compress(_TEXT))],
    "/gzip-members": [encoded("gzip", gzip.compress(_TEXT) + gzip.compress(_TEXT))],
    "/deflate": [encoded("deflate", zlib.compress(_TEXT))],
    "/raw-deflate": [encoded("deflate", _raw_deflate(_TEXT))],
    "/br": [encoded("br", brotli.compress(_TEXT))],
    "/zstd": [encoded("zstd", zstd.compress(_TEXT))],
    "/gzip-in-br": [encoded("gzip, br", brotli.compress(gzip.compress(_TEXT)))],
    "/unknown-coding": [encoded("rot13", b"uryyb")],
    "/not-gzip": [encoded("gzip", b"hello")],
    "/short-gzip": [encoded("gzip", gzip.compress(_TEXT)[:20])],
    "/empty-gzip": [encoded("gzip", b"")],
    "/latin1": [response("grüße".encode("latin-1"), "Content-Type: text/plain; charset=latin-1")],
    "/json": [response(b'{"a": ["\xc3\xbc"]}', "Content-Type: application/json")],
    "/not-json": [response(b"<html>", "Content-Type: application/json")],
    "/bare-lf": [b"HTTP/1.1 200 OK\nX-A: 1\nContent-Length: 5\n\nhello"],
    "/blank-before-extension": [_CHUNKED + b"3 ;a=b\r\nhel\r\n2\t;c\r\nlo\r\n0 \r\n\r\n"],
    "/blanks-in-extension": [
        _CHUNKED + b"3 ; a = b\r\nhel\r\n2;c\t; d\r\nlo\r\n0 ; e\r\nX: 1\r\n\r\n"
    ],
    "/blanks-in-extension-in-pieces": [
        _CHUNKED,
        b"3 ; a",
        b" = b\r\nhe",
        b"l\r",
        b"\n2 ; a\r\nlo\r\n0\r\n",
        b"\r\n",
    ],
    "/bare-lf-in-chunks": [_CHUNKED + b"3\nhel\n2\nlo\n0\n\n"],
    "/equal-lengths": [response(b"hello", "Content-Length: 5", "X-A: 1", "X-A: 1")],
    "/equal-lengths-in-pieces": [
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n",
        b"X-A: 1\r\n\r\nhel",
        b"lo",
    ],
    "/length-and-chunked": [_CHUNKED[:-2] + b"Content-Length: 9\r\n\r\n5\r\nhello\r\n0\r\n\r\n"],
    "/identity": [response(b"hello", "Transfer-Encoding: identity")],
    "/blank-before-colon": [response(b"hello", "Server : x")],
    "/control-character": [response(b"hello", "X-A: a\x01b")],
    "/unequal-lengths-in-one": [b"HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\nhello"],
    "/gzip-then-zeros": [encoded("gzip", gzip.compress(_TEXT) + bytes(8))],
    "/gzip-then-bytes": [encoded("gzip", gzip.compress(_TEXT) + b"\x1fother")],
    "/deflate-then-bytes": [encoded("deflate", zlib.compress(_TEXT) + b"other")],
    "/zstd-then-bytes": [encoded("zstd", zstd.compress(_TEXT) + b"other")],
    "/br-then-bytes": [encoded("br", brotli.compress(_TEXT) + b"other")],
    "/zstd-frames": [encoded("zstd", zstd.compress(_TEXT) + zstd.compress(_TEXT))],
    "/unknown-charset": [response(b"h\xc3\xa9llo", "Content-Type: text/html; charset=utf8mb4")],
    "/no-charset": [response(b"h\xc3\xa9llo", "Content-Type: text/html; charset=hex")],
    "/undefined-charset": [response(b"h\xc3\xa9llo", "Content-Type: text/html; charset=undefined")],
    "/quoted-charset": [response(b"h\xe9llo", "Content-Type: text/html;charset='latin-1';")],
    "/two-types": [
        response(b"h\xe9llo", "Content-Type: a/b", "Content-Type: text/html; charset=latin-1")
    ],
    "/latin1-json": [response(b'{"a": "\xfc"}', "Content-Type: application/json; charset=latin-1")],
    "/broken-json-text": [response(b'{"a": "\xfc"}', "Content-Type: application/json")],
    "/json-with-bom": [response(b'\xef\xbb\xbf{"a": 1}', "Content-Type: application/json")],
    "/json-too-deep": [response(b"[" * 100_000, "Content-Type: application/json")],
    "/json-too-long": [response(b"1" * 5000, "Content-Type: application/json")],
    "/no-location": [response(b"moved", "Location:", status="302 Found")],
    "/blank-location": [response(b"moved", "Location:  \t", status="302 Found")],
    "/raw-utf8-location": [response(b"", "Location: /echo?q=gr\u00fc\u00dfe", status="302 Found")],
    "/raw-latin1-location": [
        b"HTTP/1.1 302 Found\r\nLocation: /echo?q=\xfc\r\nContent-Length: 0\r\n\r\n"
    ],
    "/lines": [_CHUNKED + b"4\r\none\n\r\n", b"5\r\ntwo\nt\r\n", b"4\r\nhree\r\n0\r\n\r\n"],
    "/set-cookie": [response(b"", "Set-Cookie: a=1; Path=/", "set-cookie: b=2; Path=/echo")],
    "/set-cookie-hints": [
        b"HTTP/1.1 103 Early Hints\r\n\r\n" + response(b"", "Set-Cookie: a=1; Path=/")
    ],
    "/secure-cookie": [response(b"", "Set-Cookie: s=1; Secure; Path=/")],
    "/set-and-expire": [
        response(
            b"",
            "Set-Cookie: a=1; Path=/",
            "Set-Cookie: a=; Path=/; Expires=Thu, 01-Jan-1970 00:00:00 GMT",
        )
    ],
    "/cookie-of-host": [response(b"", "Set-Cookie: a=1; Path=/; Domain=127.0.0.1")],
    "/cookie-without-domain": [response(b"", "Set-Cookie: a=1; Path=/; Domain=")],
    "/cookie-of-localhost": [response(b"", "Set-Cookie: a=1; Path=/; Domain=LocalHost")],
    "/expire-cookie": [response(b"", "SET-COOKIE: a=; Max-Age=0; Path=/")],
}


def _read_request(stream: BinaryIO, connection: int) -> Received | None:
    line = stream.readline().decode("latin-1")
    if not line.strip():
        return None
    method, target, _ = line.split(" ", 2)
    fields = []
    while (line := stream.readline().decode("latin-1").rstrip("\r\n")) != "":
        name, _, value = line.partition(":")
        fields.append((name, value.strip()))
    request = Received(connection, method, target, fields, b"")
    if request.values("transfer-encoding"):
        request.body = b"".join(_chunks(stream))
    elif length := request.values("content-length"):
        request.body = stream.read(int(length[0])) or b""
    return request


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while size := int(stream.readline(), 16):
        yield stream.read(size) or b""
        stream.readline()
    stream.readline()


def _echo(request: Received) -> list[bytes | None]:
    seen = {
        "method": request.method,
        "target": request.target,
        "fields": request.fields,
        "body": request.body.decode("latin-1"),
    }
    return [response(json.dumps(seen).encode(), "Content-Type: application/json")]


def _status(request: Received) -> list[bytes | None]:
    code = request.target.rpartition("/")[2]
    return [response(b"", status=f"{code} Status")]


def _redirect(request: Received) -> list[bytes | None]:
    _, _, code, location = request.target.split("/", 3)
    absolute = location.startswith(("http", "ftp"))
    where = location if absolute else f"/{location}"
    return [response(b"moved", f"Location: {where}", status=f"{code} Moved")]


_ANSWERS: dict[str, Callable[[Received], list[bytes | None]]] = {
    "echo": _echo,
    "status": _status,
    "redirect": _redirect,
}


def _serve(server: Awkward, sock: socket.socket) -> None:
    server.connections += 1
    number = server.connections
    stream = sock.makefile("rb")
    with suppress(ConnectionError):
        while (request := _read_request(stream, number)) is not None:
            server.received.append(request)
            if not _answer(server, sock, request):
                return


def _answer(server: Awkward, sock: socket.socket, request: Received) -> bool:
    path = request.target.partition("?")[0]
    if path == "/reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    if path == "/silent":
        gevent.sleep(5)
        return False
    first = [r.connection for r in server.received].count(request.connection) == 1
    if path == "/reset-once" and not first:  # by a server, or a load balancer, that was idle long
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    if path in {"/stale-once", "/reset-once"}:  # the second request over a connection meets its end
        parts: list[bytes | None] = [PLAIN] if first else [None]
    elif path in SAYS:
        parts = SAYS[path]
    else:
        parts = _ANSWERS[path.split("/")[1]](request)
    return _say(sock, parts, request.method)


def _say(sock: socket.socket, parts: list[bytes | None], method: str) -> bool:
    for part in parts:
        if part is None:
            return False
        try:
            sock.sendall(part.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" if method == "HEAD" else part)
        except OSError:
            return False
        gevent.sleep(0)
    return True


@contextmanager
def awkward_server(host: str = "127.0.0.1", tls: Any = None) -> Iterator[Awkward]:
    """Serve on a free port; everything it accepted is closed at the end."""
    awkward = Awkward()
    options = {} if tls is None else {"ssl_context": tls}
    server = StreamServer((host, 0), lambda sock, _: _serve(awkward, sock), **options)
    server.start()
    shown = f"[{host}]" if ":" in host else host
    awkward.url = f"http{'' if tls is None else 's'}://{shown}:{server.server_port}"
    try:
        yield awkward
    finally:
        server.stop(timeout=0.1)
