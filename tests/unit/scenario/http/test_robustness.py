"""Hostile responses, and what is left behind by many requests."""

import gc
import itertools
import os
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import gevent
import gevent.socket
import pytest
from gevent.server import StreamServer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import loadgen.scenario.http
from loadgen.scenario.http.content import decode
from loadgen.scenario.http.errors import ContentError
from tests.unit.scenario.http.awkward import PLAIN, SAYS, Awkward, awkward_server
from tests.unit.scenario.http.conftest import Client, close, make_client
from tests.unit.scenario.http.differences import DIFFERENCES

DOCUMENT = Path(__file__).parents[4] / "docs" / "http-user.md"
PACKAGE = str(Path(loadgen.scenario.http.__file__).parent / "*")
HEADS = [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.0 204 No\r\n", PLAIN]
FIELDS = [
    b"Content-Length: 5\r\n",
    b"Content-Length: 99999999999999999999\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
    b"Content-Encoding: gzip\r\n",
    b"Set-Cookie: a=b; Path=\r\n",
    b"Location: //[\r\n",
    b"X: \xff\x00\r\n",
]
PIECES = st.one_of(
    st.sampled_from([*HEADS, *FIELDS, b"\r\n", b"\r\n\r\n", b"5\r\nhello\r\n", b"0\r\n\r\n"]),
    st.binary(max_size=40),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pieces=st.lists(PIECES, max_size=8), cuts=st.lists(st.integers(0, 300), max_size=4))
def test_no_bytes_of_a_server_break_the_client(pieces: list[bytes], cuts: list[int]) -> None:
    said = b"".join(pieces)
    ends = sorted({0, len(said), *cuts})
    parts = [said[start:end] for start, end in itertools.pairwise(ends)]
    with _speaker(parts) as url:
        made = make_client("FastUser", url, network_timeout=0.5, max_redirects=0)
        response = made.http.get("/")
        with suppress(ContentError):
            assert response.text is not None or response.error is not None
        assert response.status_code > 0 or made.last["exception"] is not None
        close(made)


@contextmanager
def _speaker(parts: list[bytes]) -> Iterator[str]:
    """A server that says the same to everybody, and closes."""

    def say(sock: gevent.socket.socket, _: object) -> None:
        with suppress(OSError):
            sock.recv(65536)
            for part in parts:
                sock.sendall(part)
                gevent.sleep(0)

    server = StreamServer(("127.0.0.1", 0), say)
    server.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.stop(timeout=0)


@settings(max_examples=300, deadline=None)
@given(
    body=st.binary(max_size=200),
    codings=st.lists(
        st.sampled_from(["gzip", "deflate", "br", "zstd", "identity", "x"]), max_size=3
    ),
)
def test_a_body_decodes_or_raises_a_content_error(body: bytes, codings: list[str]) -> None:
    with suppress(ContentError):
        assert isinstance(decode(body, codings), bytes)


def _descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - the iterator would be one more


def test_no_descriptor_is_left_by_any_response(server: Awkward) -> None:
    with awkward_server() as other:
        before = _descriptors()
        made = make_client("FastUser", other.url, network_timeout=0.2)
        for path in [*SAYS, "/reset", "/redirect/302/plain"]:
            with suppress(ContentError):
                made.http.get(path)
            made.http.get(path, stream=True).close()
        made.http.get("http://127.0.0.1:1/")
        close(made)
    assert server.connections == 0
    with gevent.Timeout(60):  # servers close theirs when they are told that the client has
        while _descriptors() > before:
            gevent.sleep(0.01)


@pytest.mark.parametrize("path", ["/plain", "/chunked", "/close", "/status/404", "/no-answer"])
def test_memory_is_flat_over_many_requests(ours: Client, server: Awkward, path: str) -> None:
    ours.user.environment.events.request._handlers.clear()
    gc.disable()
    try:
        _request_many(ours, server, path, 100)
        tracemalloc.start()
        _request_many(ours, server, path, 400)
        snapshot = tracemalloc.take_snapshot()
    finally:
        tracemalloc.stop()
        gc.enable()
    of_client = snapshot.filter_traces([tracemalloc.Filter(True, PACKAGE)])
    left = sum(trace.size for trace in of_client.traces)
    assert left < 20_000, f"{left} bytes were left by 800 requests"


def _request_many(client: Client, server: Awkward, path: str, count: int) -> None:
    for _ in range(count):
        client.http.get(path)
        with client.http.get(path, catch_response=True):
            pass
    server.received.clear()


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_every_difference_is_documented(difference: str) -> None:
    fast_http_user, fast_user = DIFFERENCES[difference]
    assert f"| {difference} | {fast_http_user} | {fast_user} |" in DOCUMENT.read_text()


def test_no_difference_is_documented_that_the_suite_does_not_know() -> None:
    table = DOCUMENT.read_text().partition("| what | FastHttpUser | FastUser |\n|---|---|---|\n")[2]
    rows = table.partition("\n\n")[0].splitlines()
    assert rows == [f"| {what} | {one} | {ours} |" for what, (one, ours) in DIFFERENCES.items()]
