"""What can go wrong with a request. Locust counts each of these as a failure of the request."""

from locust.contrib.fasthttp import LocustBadStatusCode
from locust.exception import ResponseError

NO_RETRIES = (
    "{}: FastUser does not retry, because a load test counts what a server failed to answer; "
    "leave it out, retry in the task, or use locust.FastHttpUser"
)


class ConnectionClosedError(ConnectionError):
    """The server closed the connection before the response was complete."""


class StaleConnectionError(ConnectionClosedError):
    """A kept connection turned out to be closed before anything of a response arrived.

    `sent` is False when not even the request could be sent, so that sending it again is safe.
    """

    def __init__(self, message: str, sent: bool = True) -> None:
        super().__init__(message)
        self.sent = sent


class InvalidResponseError(Exception):
    """What the server sent is not HTTP/1.x, or its header is larger than this client takes."""


class RedirectError(Exception):
    """A redirect could not be followed: too many, or to something that is not HTTP."""


class ContentError(ResponseError):
    """The body does not decode as its Content-Encoding says, or that coding is unknown.

    A ResponseError, so that Locust counts a request whose with-block meets it as failed.
    """


FAILURES = (OSError, InvalidResponseError, RedirectError, LocustBadStatusCode, ContentError)
