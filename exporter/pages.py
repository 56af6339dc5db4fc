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
from collections.abc import Callable, Hashable, Iterable
from wsgiref.types import StartResponse, WSGIEnvironment

from exporter.exposition import Exposition
from loadgen.shared.loopback import meant_loopback

GZIP_LEVEL = 1
"""Higher levels take three times as long for a tenth fewer bytes."""
GZIP_FORMAT = 31
HEALTH = ("/-/healthy", "/-/ready", "/healthz")
SCRAPER_HEADER = "HTTP_X_PROMETHEUS_SCRAPE_TIMEOUT_SECONDS"
SCRAPER = ("REMOTE_ADDR", "HTTP_HOST", "HTTP_USER_AGENT", SCRAPER_HEADER)
SCRAPERS_MAX = 100
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


class Scraper:
    """When one scraper came last, and how often it comes."""

    def __init__(self, now: float) -> None:
        self.last = now
        self.interval: float | None = None

    def note(self, now: float) -> None:
        """Take note that it has come again."""
        self.interval, self.last = now - self.last, now

    def due(self, most: float) -> float:
        """Return until when its next scrape may be waited for, in the clock's seconds."""
        interval = most if self.interval is None else min(self.interval, most)
        return self.last + 1.5 * interval + 1.0


class Scrapes:
    """Who scrapes, each Prometheus by itself; `watch` and browsers are no scrapers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._scrapers: dict[Hashable, Scraper] = {}

    def note(self, who: Hashable = "") -> None:
        """Take note of a scrape that begins now; `who` tells scrapers apart."""
        with self._changed:
            now = self._clock()
            if who in self._scrapers:
                self._scrapers[who].note(now)
            elif len(self._scrapers) < SCRAPERS_MAX:
                self._scrapers[who] = Scraper(now)
            self._changed.notify_all()

    def awaited(self, since: float, most: float) -> int:
        """Return how many scrapers haven't come since a time and still may.

        `most` is the longest interval between two scrapes that is waited for, in seconds; 0: none.
        """
        now = self._clock()
        with self._changed:
            return sum(
                one.last < since and bool(most) and one.due(most) > now
                for one in self._scrapers.values()
            )

    def wait(self, since: float, most: float, given_up: Callable[[], bool]) -> None:
        """Wait until each scraper that is awaited has come."""
        while self.awaited(since, most) and not given_up():
            with self._changed:
                self._changed.wait(0.1)


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
        # Prometheus and similar programs send their time-out along, so two different ones can be
        # told apart.
        if SCRAPER_HEADER in environ:
            self.scrapes.note(tuple(str(environ.get(name, "")) for name in SCRAPER))
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
