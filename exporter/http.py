"""The exporter's HTTP server; what it answers is in `exporter.pages`.

Each connection has a thread of its own, where its TLS handshake happens too, so a client that
connects and says nothing holds up nobody else. Connections are bounded in number and time: one too
many costs the oldest its place, which a scraper, who is done in a moment, doesn't notice.
"""

import contextlib
import ssl
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from socket import AF_INET, AF_INET6, SHUT_RDWR, SO_REUSEADDR, SOL_SOCKET, socket
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import WSGIApplication

CLIENT_TIMEOUT_SECONDS = 10
CONNECTION_SECONDS = 20
CONNECTIONS_MAX = 128
LOOK_SECONDS = 0.1
"""How often the server looks whether it is to end, and whether a connection takes too long."""


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
    request_queue_size = 128

    def __init__(
        self, host: str, port: int, application: WSGIApplication, context: ssl.SSLContext | None
    ) -> None:
        self._context = context
        self.address_family = AF_INET6 if ":" in host else AF_INET
        # The open connections by the accepted socket's id, oldest first: since when each is open,
        # and its TLS socket.
        self._open: dict[int, tuple[float, socket]] = {}
        self._changing = threading.Lock()
        super().__init__((host, port), _Handler)
        self.set_app(application)
        self._thread = threading.Thread(
            target=self.serve_forever, args=(LOOK_SECONDS,), name="http", daemon=True
        )

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
        context = self._context
        with context.wrap_socket(
            request, server_side=True, do_handshake_on_connect=False
        ) as secured:
            with self._changing:
                since, _ = self._open.get(id(request), (time.monotonic(), request))
                self._open[id(request)] = since, secured
            secured.do_handshake()
            super().finish_request(secured, client_address)

    def process_request(
        self, request: socket | tuple[bytes, socket], client_address: object
    ) -> None:
        """Take a connection in; one too many costs the oldest its place."""
        if isinstance(request, socket):
            with self._changing:
                self._open[id(request)] = time.monotonic(), request
                if len(self._open) > CONNECTIONS_MAX:
                    self._cut(next(iter(self._open)))
        super().process_request(request, client_address)

    def shutdown_request(self, request: socket | tuple[bytes, socket]) -> None:
        """Let a connection go."""
        with self._changing:
            self._open.pop(id(request), None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Cut connections that take too long, whatever they do; called every moment."""
        overdue = time.monotonic() - CONNECTION_SECONDS
        with self._changing:
            for number in [one for one, (since, _) in self._open.items() if since < overdue]:
                self._cut(number)

    def _cut(self, number: int) -> None:
        """Wake the connection's thread, which then ends."""
        _, connection = self._open.pop(number)
        with contextlib.suppress(OSError):
            socket.shutdown(connection, SHUT_RDWR)

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
