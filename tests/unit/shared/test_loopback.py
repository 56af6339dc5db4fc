"""Where the kit talks to this machine it asks no proxy that the environment names."""

import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from loadgen.node.target_check import require_answer
from loadgen.shared.loopback import is_loopback, open_url
from loadgen.watch import monitoring
from loadgen.watch.stream import fetch
from loadgen.watch.watch import grafana_answers
from tests.ports import free_port

CLOSED = "http://127.0.0.1:9"
NAMES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


class Page(BaseHTTPRequestHandler):
    """Answers everything with what was asked for; a proxy is asked for whole addresses."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"database {self.path}".encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def closed_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    for name in NAMES[:3]:
        monkeypatch.setenv(name, CLOSED)


def test_this_machine_answers_without_the_environments_proxy(server: str, tmp_path: Path) -> None:
    with open_url(f"{server}/page", 5.0) as answer:
        assert answer.read() == b"database /page"
    assert fetch(f"{server}/metrics", None) == b"database /metrics?histogram=merged"
    assert grafana_answers(server)
    require_answer(server)
    port = free_port()
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)]
    with monitoring.process("a page", command, tmp_path / "log", port, {}, "/") as started:
        assert started.alive


def test_another_machine_is_asked_through_it(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server)
    monkeypatch.setattr("urllib.request._opener", None)  # it keeps the proxies that it met first
    with open_url("http://grafana.example/api/health", 5.0) as answer:
        assert answer.read() == b"database http://grafana.example/api/health"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LocalHost"])
def test_names_of_this_machine(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "127.0.0.1.example", "10.0.0.1", "::2"])
def test_names_of_others(host: str) -> None:
    assert not is_loopback(host)
