"""One request over one connection, and over a second one when the first turns out to be gone."""

from time import perf_counter

from loadgen.scenario.http.errors import StaleConnectionError
from loadgen.scenario.http.pool import Origin, Timeouts
from loadgen.scenario.http.request import IDEMPOTENT_METHODS
from loadgen.scenario.http.response import BodySource, Response

How = tuple[Timeouts, bool]
"""The limits of a request, and whether its body is left to be streamed."""


def exchange(response: Response, origin: Origin, sent: bytes, how: How) -> bool:
    """Send a request's bytes to `origin`; fill `response`, which knows the request. Raises OSError.

    A safe request that meets the end of a kept connection is sent again, once (RFC 9112, 9.3.1).
    Returns whether the response may set cookies.
    """
    limits, stream = how
    method = response.request.method
    safe, fresh = method in IDEMPOTENT_METHODS, False
    while True:
        connection = origin.acquire(limits.connect, not safe, fresh)
        sent_at = perf_counter()
        try:
            connection.send(sent, sent_at, limits.read, method == "HEAD")
            if not (connection.finished or stream):
                connection.finish()
            break
        except StaleConnectionError as error:
            origin.release(connection)
            if fresh or (error.sent and not safe):
                raise
            fresh = True
        except BaseException:
            origin.release(connection)
            raise
    response.status_code = connection.status
    response.raw = connection.raw
    response.time_to_first_byte = connection.first_byte_at - sent_at
    response.received_at = connection.received_at
    if connection.requests == 1:
        response.connect_time = connection.connect_time
    if stream:
        response.attach(BodySource(connection, origin.release))
    else:
        body = connection.body
        response.body = body[0] if len(body) == 1 else b"".join(body)
        origin.release(connection)
    return connection.may_set_cookie
