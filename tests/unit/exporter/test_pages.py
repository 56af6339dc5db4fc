import gzip
import time
from collections.abc import Callable
from wsgiref.util import setup_testing_defaults

import pytest

from exporter.collector import LocustCollector
from exporter.exposition import Exposition
from exporter.pages import Pages, Scrapes, accepts_gzip
from tests.unit.exporter.samples import SNAPSHOT


def pages() -> Pages:
    collector = LocustCollector(lambda: 1.0)
    collector.update(SNAPSHOT)
    return Pages(Exposition(collector), "the master <here>")


def get(
    path: str, method: str = "GET", application: Pages | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    environ: dict[str, object] = {}
    setup_testing_defaults(environ)
    environ |= {"PATH_INFO": path, "REQUEST_METHOD": method, **headers}
    said: list[tuple[str, list[tuple[str, str]]]] = []

    def start(status: str, headers: list[tuple[str, str]], *_: object) -> Callable[..., object]:
        said.append((status, headers))
        return print

    body = b"".join((application or pages())(environ, start))
    return int(said[0][0].split()[0]), dict(said[0][1]), body


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready", "/healthz"])
def test_health_is_answered(path: str) -> None:
    assert get(path)[0] == 200


def test_a_person_is_told_what_is_served() -> None:
    code, headers, body = get("/")
    assert (code, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b'href="/metrics"' in body
    assert b"the master &lt;here&gt;" in body


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_posted(method: str) -> None:
    code, headers, _ = get("/metrics", method)
    assert (code, headers["Allow"]) == (405, "GET, HEAD")


def test_head_has_the_headers_and_no_body() -> None:
    application = pages()
    _, headers, body = get("/metrics", "HEAD", application)
    assert body == b""
    assert headers["Content-Length"] == str(len(get("/metrics", application=application)[2]))


def test_gzip_is_given_to_who_asks_and_is_the_same() -> None:
    application = pages()
    _, _, plain = get("/metrics", application=application)
    _, headers, packed = get("/metrics", application=application, HTTP_ACCEPT_ENCODING="gzip")
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed) == plain
    assert len(packed) < len(plain) / 5


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("GZip;q=1.0, identity; q=0.5, *;q=0", True),
        ("br, *", True),
        ("gzip;q=0", False),
        ("deflate, br", False),
        ("*;q=0", False),
        ("", False),
        ("gzip;q=much", False),
    ],
)
def test_accept_encoding_is_read_as_rfc_9110_has_it(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


def test_only_a_scraper_is_waited_for_and_not_for_ever() -> None:
    now = [100.0]
    scrapes = Scrapes(lambda: now[0])
    assert scrapes.awaited(now[0], 60.0) == 0
    scrapes.note()
    now[0] += 15.0
    scrapes.note()
    now[0] += 1.5 * 15 + 0.9
    assert scrapes.awaited(now[0], 60.0) == 1
    now[0] += 0.2
    assert scrapes.awaited(now[0], 60.0) == 0
    scrapes.note()
    assert scrapes.awaited(now[0], 60.0) == 0
    assert scrapes.awaited(now[0] + 1, 0.0) == 0


def test_of_two_scrapers_the_rarer_one_is_waited_for_too() -> None:
    now = [0.0]
    scrapes = Scrapes(lambda: now[0])
    for second in range(0, 121, 5):
        now[0] = float(second)
        scrapes.note("each 5 s")
        if second % 60 == 0:
            scrapes.note("each minute")
    ended = now[0] = 121.0
    assert scrapes.awaited(ended, 60.0) == 2
    now[0] = 125.0
    scrapes.note("each 5 s")
    assert scrapes.awaited(ended, 60.0) == 1
    now[0] = 180.0
    scrapes.note("each minute")
    scrapes.wait(ended, 60.0, lambda: False)
    assert scrapes.awaited(ended, 60.0) == 0


def test_a_look_is_no_scrape() -> None:
    application = pages()
    get("/metrics", application=application)
    later = time.monotonic() + 1
    assert application.scrapes.awaited(later, 60.0) == 0
    for address in ("192.0.2.1", "192.0.2.2"):
        headers = {"HTTP_X_PROMETHEUS_SCRAPE_TIMEOUT_SECONDS": "5", "REMOTE_ADDR": address}
        get("/metrics", application=application, **headers)
    assert application.scrapes.awaited(later, 60.0) == 2


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1:9646", 200),
        ("localhost", 200),
        ("[::1]:9646", 200),
        ("rebound.example:9646", 403),
        ("127.0.0.1.rebound.example", 403),
        ("[", 403),
        ("", 403),
    ],
)
def test_on_loopback_a_foreign_name_is_refused(host: str, status: int) -> None:
    local = Pages(Exposition(None), "this machine", loopback=True)

    for path in ("/metrics", "/", "/healthz", "/nowhere"):
        answer = get(path, application=local, HTTP_HOST=host)
        assert (answer[0] == 403) == (status == 403)
    assert get("/metrics", HTTP_HOST="rebound.example")[0] == 200, "others have TLS to decide"
