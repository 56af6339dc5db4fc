"""HTTPS, for both clients: verification, resumption, large bodies, and a server that closes."""

import select
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from ssl import PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER, SSLCertVerificationError
from typing import Any

import gevent
import gevent.ssl
import pytest

from tests.certificates import make_certificate
from tests.unit.scenario.http.awkward import BIG, Awkward, awkward_server
from tests.unit.scenario.http.conftest import Client, close, make_client
from tests.unit.scenario.http.differences import by_kind


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(params=["TLSv1_2", "TLSv1_3"])
def https(certificate: tuple[Path, Path], request: pytest.FixtureRequest) -> Iterator[Awkward]:
    context = gevent.ssl.SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    version = getattr(gevent.ssl.TLSVersion, request.param)
    context.minimum_version = context.maximum_version = version
    with awkward_server(tls=context) as server:
        yield server


@pytest.fixture
def trusting(kind: str, https: Awkward, certificate: tuple[Path, Path]) -> Iterator[Client]:
    def factory() -> Any:
        # gevent's class by name: the tests' process is not patched, so its helpers are ssl's own
        context = gevent.ssl.SSLContext(PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(str(certificate[0]))
        return context

    options = {} if kind == "FastUser" else {"insecure": False}
    made = make_client(
        kind, https.url, ssl_context_factory=staticmethod(factory), network_timeout=30.0, **options
    )
    yield made
    close(made)


def test_a_trusted_server_answers(trusting: Client, https: Awkward) -> None:
    for path in ("/plain", "/chunked", "/drip", "/big", "/plain"):
        response = trusting.http.get(path)
        assert trusting.last["exception"] is None
        assert response.content in {b"hello", BIG}
    assert https.connections == 1


def test_a_large_body_is_sent(trusting: Client, https: Awkward) -> None:
    body = bytes(range(256)) * 20_000
    assert trusting.http.post("/plain", data=body).ok
    assert https.received[-1].body == body


def test_an_unknown_certificate_is_refused_unless_told_otherwise(https: Awkward) -> None:
    by_kind("FastUser", "TLS verification", None, None)
    made = make_client("FastUser", https.url)
    made.http.get("/plain")
    assert isinstance(made.last["exception"], SSLCertVerificationError)
    close(made)
    insecure = make_client("FastUser", https.url, insecure=True)
    assert insecure.http.get("/plain").content == b"hello"
    close(insecure)


def test_a_certificate_of_another_name_is_refused(
    trusting: Client, certificate: tuple[Path, Path]
) -> None:
    context = gevent.ssl.SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    with awkward_server("127.0.0.2", context) as other:
        trusting.http.get(other.url + "/plain")
    assert isinstance(trusting.last["exception"], SSLCertVerificationError)


@pytest.mark.parametrize("path", ["/truncated", "/no-answer", "/not-http"])
def test_failures_are_failures_over_tls_too(trusting: Client, path: str) -> None:
    trusting.http.get(path)
    assert trusting.last["exception"] is not None
    assert trusting.http.get("/plain").content == b"hello"


def test_a_connection_closed_while_idle_is_replaced(trusting: Client, https: Awkward) -> None:
    for _ in range(3):
        assert trusting.http.get("/closes-unannounced").content == b"hello"
        gevent.sleep(0.02)
    assert https.connections == 3


@pytest.mark.parametrize("https", ["TLSv1_3"], indirect=True)
def test_a_session_is_resumed(trusting: Client, https: Awkward) -> None:
    if not trusting.ours:
        pytest.skip("FastHttpUser does not resume sessions")
    resumed = []
    for _ in range(3):
        trusting.http.get("/plain")
        connection = trusting.http._origin._idle[-1]
        resumed.append(connection.resumed)
        connection.close()
    assert resumed == [False, True, True]
    assert https.connections == 3


def test_a_client_shows_its_certificate(certificate: tuple[Path, Path], tmp_path: Path) -> None:
    context = gevent.ssl.SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    context.load_verify_locations(str(certificate[0]))
    context.verify_mode = gevent.ssl.CERT_REQUIRED
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join(part.read_bytes() for part in certificate))
    with awkward_server(tls=context) as server:
        for shown in (None, str(both), tuple(map(str, certificate))):
            made = make_client("FastUser", server.url, insecure=True, client_certificate=shown)
            assert made.http.get("/plain").status_code == (200 if shown else 0)
            close(made)


@pytest.mark.parametrize("opens", [True, False])
def test_a_proxy_opens_a_tunnel(https: Awkward, opens: bool) -> None:
    with _proxy(opens) as (asked, port):
        options = {"insecure": True, "proxy_host": "127.0.0.1", "proxy_port": port}
        made = make_client("FastUser", https.url, network_timeout=30.0, **options)
        statuses = [made.http.get("/plain").status_code for _ in range(2)]
        close(made)
    assert statuses == ([200, 200] if opens else [0, 0])
    assert asked[0].startswith(f"CONNECT {https.url.removeprefix('https://')} HTTP/1.")
    if opens:
        assert len(asked) == 1
        assert https.received[-1].target == "/plain"
    else:
        assert "the proxy refused a tunnel" in str(made.last["exception"])


@contextmanager
def _proxy(opens: bool) -> Iterator[tuple[list[str], int]]:
    """A proxy in a thread of its own; it ends when its listener does."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_tunnel, args=(listener, asked, opens))
        thread.start()
        try:
            yield asked, listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(60)


def _tunnel(listener: socket.socket, asked: list[str], opens: bool) -> None:
    with suppress(OSError):
        while True:
            with listener.accept()[0] as client:
                asked.append(client.recv(65536).decode())
                if not opens:
                    client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                    continue
                host, port = asked[-1].split()[1].split(":")
                with socket.create_connection((host, int(port))) as server:
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    _pass_on({client: server, server: client})


def _pass_on(other: dict[socket.socket, socket.socket]) -> None:
    while True:
        for source in select.select(list(other), [], [])[0]:
            data = source.recv(65536)
            if not data:
                return
            other[source].sendall(data)


def test_a_plain_server_is_no_tls_server(server: Awkward) -> None:
    made = make_client("FastUser", server.url.replace("http:", "https:"), connection_timeout=1.0)
    made.http.get("/plain")
    assert made.last["exception"] is not None
    close(made)


def test_a_silent_tls_server_times_out() -> None:
    listener = gevent.socket.create_server(("127.0.0.1", 0))
    made = make_client(
        "FastUser", f"https://127.0.0.1:{listener.getsockname()[1]}", connection_timeout=0.3
    )
    made.http.get("/")
    assert "timed out" in str(made.last["exception"])
    close(made)
    listener.close()
