"""The verbs of a client: each is `request` with a method."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from loadgen.scenario.http.response import CaughtResponse


class Verbs(ABC):
    """FastHttpSession's verbs over `request`."""

    @abstractmethod
    def request(self, method: str, url: str, *args: Any, **kwargs: Any) -> CaughtResponse:
        """Send a request and wait for its response."""

    def get(self, url: str, **kwargs: Any) -> CaughtResponse:
        """Send a GET request."""
        return self.request("GET", url, **kwargs)

    def head(self, url: str, **kwargs: Any) -> CaughtResponse:
        """Send a HEAD request."""
        return self.request("HEAD", url, **kwargs)

    def options(self, url: str, **kwargs: Any) -> CaughtResponse:
        """Send an OPTIONS request."""
        return self.request("OPTIONS", url, **kwargs)

    def delete(self, url: str, **kwargs: Any) -> CaughtResponse:
        """Send a DELETE request."""
        return self.request("DELETE", url, **kwargs)

    def post(self, url: str, data: Any = None, json: Any = None, **kwargs: Any) -> CaughtResponse:
        """Send a POST request."""
        return self.request("POST", url, data=data, json=json, **kwargs)

    def put(self, url: str, data: Any = None, **kwargs: Any) -> CaughtResponse:
        """Send a PUT request."""
        return self.request("PUT", url, data=data, **kwargs)

    def patch(self, url: str, data: Any = None, **kwargs: Any) -> CaughtResponse:
        """Send a PATCH request."""
        return self.request("PATCH", url, data=data, **kwargs)

    def iter_lines(self, url: str, method: str = "GET", **kwargs: Any) -> Iterator[str]:
        """Send a request and yield the lines of its response, without their ends, as they come.

        Raises what made the request fail.
        """
        response = self.request(method, url, stream=True, **kwargs)
        try:
            response.raise_for_status()
            yield from response.iter_lines()
        finally:
            response.close()
