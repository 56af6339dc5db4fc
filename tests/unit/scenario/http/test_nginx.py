"""Both clients against nginx, a server that nobody here wrote; over TLS, too."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench.targets import Urls, nginx
from tests.unit.scenario.http.conftest import close, make_client

INSTALL = Path(__file__).parents[3] / "install-packages"


@pytest.fixture(scope="module")
def urls() -> Iterator[Urls]:
    subprocess.run([str(INSTALL), "nginx-light", "openssl"], check=True, timeout=300)
    with nginx(core=0) as served:
        yield served


def test_nginx_answers_alike(kind: str, urls: Urls) -> None:
    client = make_client(kind, urls.http)
    for _ in range(3):
        assert client.http.get("/small").text == "x" * 36
        assert client.http.get("/10kb").content == b"x" * 10_000
        assert client.http.head("/10kb").headers["content-length"] == "10000"
        assert client.http.get("/10kb", headers={"Range": "bytes=0-9"}).status_code == 206
        assert client.http.post("/small", json={"a": 1}).status_code == 200
        assert client.last["exception"] is None
        assert client.http.get("/none").status_code == 404
        assert client.last["exception"] is not None
        with client.http.get("/none", catch_response=True) as response:
            response.success()
        assert client.last["exception"] is None
    close(client)


def test_nginx_over_tls(urls: Urls) -> None:
    client = make_client("FastUser", urls.https, insecure=True)
    for _ in range(3):
        assert client.http.get("/small").text == "x" * 36
        assert client.http.get("/10kb").content == b"x" * 10_000
    assert client.http.get("/small").connect_time == 0
    close(client)
