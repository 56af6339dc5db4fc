"""What the exporter answers: metrics at `/metrics`, a page that names it, and two health checks.

`/metrics` is text or OpenMetrics, whole or gzipped, as the scraper asks; with `?histogram=merged`
one histogram stands for those of all names, which is enough for a view in a terminal. `/` is for
a person who opens the address in a browser. On loopback a request under a foreign name is refused:
another site's page may have made it. `/-/healthy` and `/-/ready` are Prometheus's own names for
health, `/healthz` is Kubernetes's.
"""

import html
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from exporter.exposition import Exposition
from loadgen.shared.loopback import meant_loopback

GZIP_LEVEL = 1
"""Higher levels take three times as long for a tenth fewer bytes."""
GZIP_FORMAT = 31
HEALTH = ("/-/healthy", "/-/ready", "/healthz")
TEXT = "text/plain; charset=utf-8"
FOREIGN = b"This exporter listens on loopback and answers as 127.0.0.1 or localhost only.\n"
PAGE = """<!doctype html>
<html lang="en"><title>loadgen exporter</title>
<h1>loadgen exporter</h1>
<p>Live statistics of a Locust load test, for Prometheus.</p>
<ul><li><a href="/metrics">/metrics</a>: {what}</li>
<li><a href="/-/healthy">/-/healthy</a>, <a href="/-/ready">/-/ready</a>: OK while it serves</li>
</ul>
</html>
"""

Answer = tuple[str, list[tuple[str, str]], bytes]
"""Status, headers, body."""


class Scrapes:
    """When a scraper came, and how often it comes; `watch` and browsers are no scrapers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._count = 0
        self._last: float | None = None
        self._interval: float | None = None

    def note(self) -> None:
        """Take note of a scrape that begins now."""
        with self._changed:
            now = self._clock()
            if self._last is not None:
                self._interval = now - self._last
            self._last = now
            self._count += 1
            self._changed.notify_all()

    @property
    def count(self) -> int:
        """How many scrapes have begun."""
        return self._count

    def patience(self, most: float) -> float:
        """Return how long the next scrape may take from now, in seconds; 0 when none is to come."""
        with self._changed:
            if self._last is None:
                return 0.0
            interval = most if self._interval is None else min(self._interval, most)
            return max(0.0, self._last + 1.5 * interval + 1.0 - self._clock())

    def wait(self, count: int, seconds: float, given_up: Callable[[], bool]) -> bool:
        """Wait until more than `count` scrapes have begun; False when there were none in time."""
        deadline = self._clock() + seconds
        with self._changed:
            while self._count <= count and self._clock() < deadline and not given_up():
                self._changed.wait(0.1)
            return self._count > count


class Pages:
    """The WSGI application. `what` says in words what the metrics are of."""

    def __init__(self, exposition: Exposition, what: str, *, loopback: bool = False) -> None:
        self._exposition = exposition
        self._what = what
        self._loopback = loopback
        self.scrapes = Scrapes()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        method = environ["REQUEST_METHOD"]
        status, headers, body = self._answer(method, environ)
        start_response(status, [*headers, ("Content-Length", str(len(body)))])
        return [] if method == "HEAD" else [body]

    def _answer(self, method: str, environ: WSGIEnvironment) -> Answer:
        if self._loopback and not meant_loopback(environ.get("HTTP_HOST", "localhost")):
            return "403 Forbidden", [("Content-Type", TEXT)], FOREIGN
        if method not in ("GET", "HEAD"):
            headers = [("Content-Type", TEXT), ("Allow", "GET, HEAD")]
            return "405 Method Not Allowed", headers, b"Metrics are read with GET.\n"
        path = environ["PATH_INFO"]
        if path == "/metrics":
            return self._metrics(environ)
        if path in ("", "/"):
            page = PAGE.format(what=html.escape(self._what)).encode()
            return "200 OK", [("Content-Type", "text/html; charset=utf-8")], page
        if path in HEALTH:
            return "200 OK", [("Content-Type", TEXT)], b"OK\n"
        return "404 Not Found", [("Content-Type", TEXT)], b"Metrics are at /metrics.\n"

    def _metrics(self, environ: WSGIEnvironment) -> Answer:
        # Prometheus and its like send their time-out along.
        if "HTTP_X_PROMETHEUS_SCRAPE_TIMEOUT_SECONDS" in environ:
            self.scrapes.note()
        merged = "histogram=merged" in environ.get("QUERY_STRING", "").split("&")
        accept = environ.get("HTTP_ACCEPT", "")
        content_type, body = self._exposition.render(accept, merged=merged)
        headers = [("Content-Type", content_type), ("Vary", "Accept, Accept-Encoding")]
        if accepts_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
            headers.append(("Content-Encoding", "gzip"))
            body = zlib.compress(body, GZIP_LEVEL, GZIP_FORMAT)
        return "200 OK", headers, body


def accepts_gzip(accept_encoding: str) -> bool:
    """Tell whether an `Accept-Encoding` header allows gzip (RFC 9110, 12.5.3)."""
    wishes: dict[str, float] = {}
    for part in accept_encoding.lower().split(","):
        coding, _, parameters = part.strip().partition(";")
        name, _, weight = parameters.strip().partition("=")
        try:
            wishes[coding.strip()] = float(weight) if name.strip() == "q" else 1.0
        except ValueError:
            wishes[coding.strip()] = 0.0
    return wishes.get("gzip", wishes.get("*", 0.0)) > 0
