"""A DSpace client for tests, as plain as possible: it keeps cookies and the two tokens."""

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import requests

from loadgen.simulators import accounts


@dataclass
class Clock:
    """Unix seconds, moved by hand."""

    offset: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.offset


class Visitor:
    """Sends requests below `/server/api`; `csrf` and `jwt` are what the last answers gave."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.api = f"{url}/server/api"
        self.session = requests.Session()
        self.csrf = ""
        self.jwt = ""

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.session.close()

    def send(
        self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any
    ) -> requests.Response:
        sent = {"X-XSRF-TOKEN": self.csrf} if method not in {"GET", "HEAD"} and self.csrf else {}
        if self.jwt:
            sent["Authorization"] = f"Bearer {self.jwt}"
        url = path if path.startswith("http") else self.api + path
        response = self.session.request(
            method, url, headers=sent | (headers or {}), timeout=20, **options
        )
        self.csrf = response.headers.get("DSPACE-XSRF-TOKEN", self.csrf)
        return response

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.send("GET", path, **options)

    def login(self, user: str, password: str = "") -> requests.Response:
        self.get("/security/csrf")
        form = {"user": user, "password": password or accounts.password()}
        response = self.send("POST", "/authn/login", data=form)
        self.jwt = response.headers.get("Authorization", "").removeprefix("Bearer ")
        return response

    def patch(self, path: str, *operations: object) -> requests.Response:
        return self.send(
            "PATCH",
            path,
            json=list(operations),
            headers={"Content-Type": "application/json-patch+json"},
        )

    def an_item(self) -> dict[str, Any]:
        """Any public item."""
        found = self.get("/discover/search/objects?dsoType=item&size=1").json()
        results = found["_embedded"]["searchResult"]["_embedded"]["objects"]
        item: dict[str, Any] = results[0]["_embedded"]["indexableObject"]
        return item

    def a_bitstream(self) -> dict[str, Any]:
        """A public item's file."""
        bundles = self.get(f"/core/items/{self.an_item()['uuid']}/bundles").json()
        bundle = bundles["_embedded"]["bundles"][0]
        files = self.get(f"/core/bundles/{bundle['uuid']}/bitstreams").json()
        bitstream: dict[str, Any] = files["_embedded"]["bitstreams"][0]
        return bitstream

    def state(self) -> dict[str, Any]:
        """The simulator's own counts."""
        state: dict[str, Any] = self.session.get(f"{self.url}/_state.json", timeout=10).json()
        return state
