"""The exporter behind TLS: who may scrape it, and what it says of its certificate."""

import itertools
import os
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from loadgen.watch.fleet_scrapes import newest
from tests.certificates import Authority
from tests.monitoring.cluster import ROOT
from tests.monitoring.test_exporter import Exporter
from tests.waiting import await_


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ca")


@contextmanager
def serving(directory: Path, authority: Authority) -> Iterator[Exporter]:
    """Run an exporter that asks for certificates of this authority."""
    certificate, key = authority.issue("exporter")
    options = ("--tls-certificate", certificate, "--tls-key", key)
    exporter = Exporter(directory, *map(str, options), "--client-ca", str(authority.certificate))
    try:
        await_(lambda: _answers(exporter.port), "the exporter")
        yield exporter
    finally:
        exporter.process.kill()
        exporter.process.communicate()


@pytest.fixture
def exporter(tmp_path: Path, authority: Authority) -> Iterator[Exporter]:
    with serving(tmp_path, authority) as exporter:
        yield exporter


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def scrape(exporter: Exporter, authority: Authority, client: tuple[Path, Path] | None) -> str:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    if client is not None:
        context.load_cert_chain(*client)
    url = f"https://127.0.0.1:{exporter.port}/metrics"
    with urllib.request.urlopen(url, timeout=30, context=context) as answer:
        return bytes(answer.read()).decode()


def test_a_client_with_a_certificate_of_the_ca_may_scrape(
    exporter: Exporter, authority: Authority
) -> None:
    text = scrape(exporter, authority, authority.issue("prometheus"))
    assert "locust_up 0.0" in text
    expiry = next(line for line in text.splitlines() if line.startswith("locust_certificate_"))
    assert float(expiry.split()[-1]) == pytest.approx(time.time() + 20 * 86400, abs=3600)


def test_a_client_without_a_certificate_is_refused(
    exporter: Exporter, authority: Authority
) -> None:
    with pytest.raises((urllib.error.URLError, ssl.SSLError, ConnectionError)):
        scrape(exporter, authority, None)


def test_a_client_with_a_strangers_certificate_is_refused(
    exporter: Exporter, authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "stranger").mkdir()
    stranger = Authority(tmp_path / "stranger", "stranger").issue("client")
    with pytest.raises((urllib.error.URLError, ssl.SSLError, ConnectionError)):
        scrape(exporter, authority, stranger)


def test_a_servers_certificate_is_no_clients(exporter: Exporter, authority: Authority) -> None:
    server = authority.issue("host", [ExtendedKeyUsageOID.SERVER_AUTH])
    with pytest.raises((urllib.error.URLError, ssl.SSLError, ConnectionError)):
        scrape(exporter, authority, server)
    client = authority.issue("scrape", [ExtendedKeyUsageOID.CLIENT_AUTH])
    assert "locust_up" in scrape(exporter, authority, client)


def test_a_client_that_never_shakes_hands_holds_up_nobody(
    exporter: Exporter, authority: Authority
) -> None:
    with socket.create_connection(("127.0.0.1", exporter.port)):
        assert "locust_up" in scrape(exporter, authority, authority.issue("prometheus"))
    assert exporter.end() == (0, "")


def test_another_machine_watches_through_a_stream_of_scrapes(
    exporter: Exporter, authority: Authority
) -> None:
    certificate, key = map(str, authority.issue("master"))
    options = ["--ca", str(authority.certificate), "--certificate", certificate, "--key", key]
    command = [sys.executable, "-m", "loadgen.watch.stream", *options]
    url = f"https://127.0.0.1:{exporter.port}/metrics"
    with subprocess.Popen([*command, "--url", url], stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        number = process.stdout.fileno()
        found = newest(iter(lambda: os.read(number, 512), b""))
        assert b"locust_up 0.0" in next(found)
        exporter.process.kill()
        assert any(scrape == b"" for scrape in itertools.islice(found, 30))
        process.stdout.close()  # as when SSH ends
        assert process.wait(timeout=60) == 0
