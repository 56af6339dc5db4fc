"""Whether the system under test answers at all, asked once before any load."""

import socket
import ssl
import urllib.error
from urllib.parse import urlsplit

from loadgen.shared.errors import TargetError
from loadgen.shared.loopback import open_directly

TIMEOUT_SECONDS = 5.0
NEXT = "check the address, or that the target is up and reachable from here"


def require_answer(host: str, verify: bool = True) -> None:
    """Return if the target answers an HTTP request or, for other schemes, a connection.

    Any HTTP status is an answer. Raises TargetError with the cause.
    """
    parts = urlsplit(host)
    try:
        if parts.scheme in ("http", "https"):
            _ask_http(host, verify)
        elif parts.port:
            socket.create_connection((str(parts.hostname), parts.port), TIMEOUT_SECONDS).close()
    except urllib.error.HTTPError:
        return
    except (OSError, ValueError) as error:
        cause = getattr(error, "reason", error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            raise TargetError(
                f"the certificate of {host} can't be trusted: {cause.verify_message}; install "
                f"its CA on this machine, or skip the check with --insecure-target"
            ) from error
        raise TargetError(f"the target {host} did not answer: {_words(cause)}; {NEXT}") from error


def _ask_http(host: str, verify: bool) -> None:
    context = ssl.create_default_context()
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    # Workers don't use a proxy from the environment, so this check doesn't either.
    open_directly(host, TIMEOUT_SECONDS, context).close()


def _words(cause: object) -> str:
    if isinstance(cause, TimeoutError):
        return f"it sent no answer within {TIMEOUT_SECONDS:g} s"
    if isinstance(cause, socket.gaierror):
        return "its name can't be resolved"
    return str(getattr(cause, "strerror", None) or cause).lower()
