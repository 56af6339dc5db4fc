"""TLS over a connection: verified unless that is switched off, resumed if the server allows it.

The records pass through memory (`ssl.MemoryBIO`), so that one system call moves what OpenSSL would
otherwise fetch with two.
"""

import os
import ssl
from functools import cache

from loadgen.scenario.http.connection import Connection

_read, _transmit = Connection._read, Connection._transmit
_RECORD_BYTES = 16384  # no record holds more (RFC 8446, 5.1), and a read gives one


@cache
def shared_context(
    insecure: bool, certificate: str | tuple[str, str] | None = None
) -> ssl.SSLContext:
    """Return the process's one client context: loading the CA certificates takes milliseconds.

    `insecure` accepts any certificate. Otherwise the system's store decides, as OpenSSL finds it
    (SSL_CERT_FILE and SSL_CERT_DIR name another). `certificate` is the client's own: a PEM file
    with its key, or one file for each. Raises OSError, and ValueError for an encrypted key.
    """
    context = ssl.create_default_context()
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        file, key = (certificate, None) if isinstance(certificate, str) else certificate
        context.load_cert_chain(file, key, password=_no_password)
    return context


def is_insecure(chosen: bool | None) -> bool:
    """Tell whether a user accepts any certificate: as it has chosen, else as the run says.

    The run's variable is read only here, because a locustfile may be imported before it is set.
    """
    return os.environ.get("INSECURE_TARGET") == "1" if chosen is None else chosen


def _no_password() -> str:
    raise ValueError("its key is encrypted")


class TlsConnection(Connection):
    """A connection whose bytes are TLS records; `handshake` comes before the first request."""

    __slots__ = (
        "_incoming",
        "_outgoing",
        "_sealed",
        "_take_records",
        "_tls",
        "_tls_read",
        "_tls_write",
    )

    def start(self, context: ssl.SSLContext, host: str, session: ssl.SSLSession | None) -> None:
        """Prepare the handshake with `host`, resuming `session` if the server agrees."""
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, server_hostname=host, session=session
        )
        direct = getattr(self._tls, "_sslobj", self._tls)  # what SSLObject passes each call on to
        self._tls_read, self._tls_write = direct.read, direct.write
        self._take_records, self._sealed = self._incoming.write, self._outgoing.read

    def handshake(self, now: float, timeout: float) -> None:
        """Shake hands; `timeout` is for each wait. Raises OSError (ssl.SSLError is one)."""
        self._timeout, self._sent_at, self._deadline = timeout, now, now + timeout
        self._arm(timeout)
        self.complete = False
        try:
            while not self._handshake_done():
                self._flush()
                self._wait()
                self._read_records()
            self._flush()
        except BaseException:
            self.close()
            raise
        self.complete = True

    def _handshake_done(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError:
            self._flush()  # the alert that tells the server why
            raise
        return True

    def finish(self) -> None:
        """As for a plain connection; TLS 1.3 has a session to resume once a response has come."""
        if self.requests == 1:
            self.session = self._tls.session
        super().finish()

    @property
    def resumed(self) -> bool:
        """Whether the handshake resumed an earlier session."""
        return bool(self._tls.session_reused)

    def _flush(self) -> None:
        _transmit(self, self._sealed())

    def _transmit(self, data: bytes) -> None:
        self._tls_write(data)
        _transmit(self, self._sealed())

    def receive(self) -> None:
        """As for a plain connection; what is already decrypted or received comes first."""
        if self._incoming.pending:
            data = self._decrypt()
            if data is not None:
                self._take(data)
                return
        super().receive()

    def _read_records(self) -> None:
        records = _read(self)
        if records:
            self._take_records(records)
        elif records is not None:
            self._incoming.write_eof()

    def _read(self) -> bytes | None:
        self._read_records()
        return self._decrypt()

    def _decrypt(self) -> bytes | None:
        try:
            data: bytes | None = self._tls_read(_RECORD_BYTES)
        except ssl.SSLWantReadError:
            data = None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            data = b""
        finally:
            if self._outgoing.pending:
                self._flush()
        return data

    def _on_idle(self) -> None:
        """Session tickets may come between requests; anything else ends the connection."""
        try:
            if self._read() is not None:
                self.close()
        except OSError:
            self.close()
