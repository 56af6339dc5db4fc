"""Strangers at the exporter, and too many of them: the rightful scraper is still answered."""

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from exporter.http import CONNECTION_SECONDS, CONNECTIONS_MAX
from tests.attackers.peers import connections
from tests.certificates import Authority
from tests.faults.record import Outcome
from tests.monitoring.test_exporter import Exporter
from tests.monitoring.test_exporter_tls import scrape, serving

PART = "Attackers: the exporter"
MANY = 2000


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ca")


@pytest.fixture
def exporter(outcome: Outcome, tmp_path: Path, authority: Authority) -> Iterator[Exporter]:
    assert outcome
    with serving(tmp_path, authority) as exporter:
        yield exporter


def seconds_to_scrape(exporter: Exporter, authority: Authority) -> float:
    began = time.monotonic()
    assert "locust_up" in scrape(exporter, authority, authority.issue("prometheus"))
    return time.monotonic() - began


def talk(port: int, words: bytes) -> bytes:
    """Say something in the clear; return what comes back until the other end closes."""
    answer = b""
    peer = socket.create_connection(("127.0.0.1", port), timeout=15)
    with peer, contextlib.suppress(OSError):
        peer.sendall(words)
        while chunk := peer.recv(1 << 16):
            answer += chunk
    return answer


@pytest.mark.fault(
    PART,
    "The TLS port receives plain HTTP, random bytes, no certificate, or an unknown certificate.",
)
def test_who_has_no_certificate_gets_no_metrics(
    exporter: Exporter, authority: Authority, tmp_path: Path, outcome: Outcome
) -> None:
    for words in (b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01" + b"\xff" * 500):
        assert b"locust" not in talk(exporter.port, words)
    (tmp_path / "stranger").mkdir()
    stranger = Authority(tmp_path / "stranger", "stranger").issue("client")
    for client in (None, stranger):
        with pytest.raises((OSError, ssl.SSLError)):
            scrape(exporter, authority, client)
    waited = seconds_to_scrape(exporter, authority)
    assert exporter.end() == (0, "")
    outcome(
        f"The exporter sends no metric, answers Prometheus in {waited:.1f} s, and logs nothing."
    )


@pytest.mark.fault(PART, f"{MANY:,} connections never finish the TLS handshake.")
def test_many_connections_keep_the_scraper_from_nothing(
    exporter: Exporter, authority: Authority, outcome: Outcome
) -> None:
    with connections(exporter.port, MANY):
        waited = seconds_to_scrape(exporter, authority)
        threads = psutil.Process(exporter.process.pid).num_threads()
    assert threads <= CONNECTIONS_MAX + 20
    assert waited < 5
    assert seconds_to_scrape(exporter, authority) < 5
    outcome(f"The exporter answers Prometheus in {waited:.1f} s and has {threads} threads.")


@pytest.mark.fault(
    PART,
    "A client with a valid certificate sends huge headers, and then endlessly a byte per second.",
)
def test_a_slow_request_is_cut_off(
    exporter: Exporter, authority: Authority, outcome: Outcome
) -> None:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    context.load_cert_chain(*authority.issue("slow"))

    def connected() -> ssl.SSLSocket:
        plain = socket.create_connection(("127.0.0.1", exporter.port), timeout=30)
        return context.wrap_socket(plain, server_hostname="127.0.0.1")

    with connected() as huge:
        with contextlib.suppress(OSError):
            huge.sendall(b"GET /metrics HTTP/1.1\r\n" + b"x: " + b"y" * 200_000 + b"\r\n\r\n")
        with contextlib.suppress(OSError):
            assert b"200 OK" not in huge.recv(1000)
    with connected() as slow:
        began = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - began < CONNECTION_SECONDS + 20:
                slow.sendall(b"x")
                time.sleep(0.5)
        held = time.monotonic() - began
    assert held < CONNECTION_SECONDS + 5
    assert seconds_to_scrape(exporter, authority) < 5
    outcome(
        "The exporter answers the headers with status 431, and closes the slow connection "
        f"after {held:.0f} s."
    )
