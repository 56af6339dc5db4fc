"""Serves the metrics over HTTP: `GET /metrics`, text or OpenMetrics as the scraper asks.

Each connection has a thread of its own, where its TLS handshake happens too, so a client that
connects and says nothing holds up nobody else.
"""

import ssl
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from socket import SO_REUSEADDR, SOL_SOCKET, socket
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from exporter.exposition import Exposition

CLIENT_TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Tls:
    """The server's certificate and key, and the CA that signs clients allowed in (all PEM)."""

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Build the server's context. Raises OSError or ssl.SSLError on unusable files."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        if self.client_ca is not None:
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


class _Handler(WSGIRequestHandler):
    timeout = CLIENT_TIMEOUT_SECONDS

    def log_message(self, *_: object) -> None:
        """Stay silent: a line for every scrape would fill the journal."""


class MetricsServer(ThreadingMixIn, WSGIServer):
    """A bound, listening server; `start` serves it from a thread until `stop`."""

    daemon_threads = True

    def __init__(
        self, host: str, port: int, exposition: Exposition, context: ssl.SSLContext | None
    ) -> None:
        self._context = context
        super().__init__((host, port), _Handler)
        self.set_app(_application(exposition))
        self._thread = threading.Thread(target=self.serve_forever, name="http", daemon=True)

    def server_bind(self) -> None:
        """Bind without WSGIServer's reverse look-up of our own address, which can hang."""
        # Connections of an earlier exporter may still be in TIME-WAIT on this port.
        self.socket.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = self.server_address[:2]  # type: ignore[assignment]
        self.setup_environ()

    def finish_request(
        self, request: socket | tuple[bytes, socket], client_address: object
    ) -> None:
        """Do the handshake in the connection's own thread."""
        if self._context is None or not isinstance(request, socket):
            super().finish_request(request, client_address)
            return
        request.settimeout(CLIENT_TIMEOUT_SECONDS)
        with self._context.wrap_socket(request, server_side=True) as secured:
            super().finish_request(secured, client_address)

    def handle_error(self, *_: object) -> None:
        """Ignore a client that went away or was refused; it has been told."""

    def start(self) -> None:
        """Serve from a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and free the port."""
        self.shutdown()
        self.server_close()
        self._thread.join()


def _application(exposition: Exposition) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/metrics":
            start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
            return [b"Metrics are at /metrics.\n"]
        content_type, body = exposition.render(environ.get("HTTP_ACCEPT", ""))
        headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
        start_response("200 OK", headers)
        return [body]

    return application
