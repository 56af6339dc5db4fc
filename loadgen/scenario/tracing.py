"""Traces of a share of the requests: W3C's `traceparent`, whose id leads from a slow request to it.

A user class with `trace_ratio` above 0 gets this client in the ordinary one's place, so that a user
without it pays nothing. The target's tracing has to take the header's word (`sampled` is set).
"""

import random
from typing import Any

from loadgen.scenario.http.response import CaughtResponse
from loadgen.scenario.http.session import HttpSession

HEADER, IN_CONTEXT = "traceparent", "trace_id"
_HEADERS_POSITION = 4
"""Where `headers` stand among the arguments after method and URL."""


class TracedSession(HttpSession):
    """A client that begins a trace with a share of its requests, chosen by chance."""

    def __init__(self, trace_ratio: float, /, **settings: Any) -> None:
        super().__init__(**settings)
        self._ratio = trace_ratio

    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> CaughtResponse:
        """Send a request as HttpSession does; the id of its trace is in its event's context.

        A request that brings its own `traceparent`, or headers by position, is left as it is.
        """
        headers = dict(kwargs.get("headers") or {})
        own = len(args) > _HEADERS_POSITION or any(name.lower() == HEADER for name in headers)
        if own or random.random() >= self._ratio:
            return super().request(method, url, *args, **kwargs)
        # Ids of zeros only are invalid (W3C Trace Context, 3.2.2.3).
        trace, span = (f"{random.getrandbits(bits) or 1:0{bits // 4}x}" for bits in (128, 64))
        kwargs["headers"] = {**headers, HEADER: f"00-{trace}-{span}-01"}
        kwargs["context"] = {**kwargs.get("context", {}), IN_CONTEXT: trace}
        return super().request(method, url, *args, **kwargs)
