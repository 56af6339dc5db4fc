"""Prometheus's HTTP API, as far as tests need it."""

import json
import urllib.parse
import urllib.request
from typing import Any


class Prometheus:
    """One Prometheus on loopback."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str, **parameters: object) -> Any:
        """Return the data of an answer; fails when Prometheus refuses the query."""
        query = urllib.parse.urlencode({k: v for k, v in parameters.items() if v is not None})
        try:
            with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from error

    def samples(self, expression: str, time: float | None = None) -> list[dict[str, Any]]:
        """Return the series of an instant query: [{"metric": {...}, "value": [time, "1"]}]."""
        result: list[dict[str, Any]] = self.get("query", query=expression, time=time)["result"]
        return result

    def value(self, expression: str, time: float | None = None) -> float | None:
        """Return the only value of an instant query; None when there is none."""
        samples = self.samples(expression, time)
        assert len(samples) <= 1, f"{expression} has {len(samples)} series"
        return float(samples[0]["value"][1]) if samples else None
