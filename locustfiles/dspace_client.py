"""A visitor of a DSpace 7+ repository, over its REST API.

Keeps the two tokens as DSpace's own UI does: the CSRF token of the last answer that brought one,
and the JWT, which it refreshes before its 30 minutes are over. Every request goes through Locust's
client under its grouped path, so nothing stays out of the statistics.
"""

import json
import time
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from loadgen.scenario import Account, CaughtResponse, HttpSession, Login, answers, group_path

API = "/server/api"
REFRESH_AFTER_SECONDS = 25 * 60
SAFE_METHODS = ("GET", "HEAD")
PATCH_TYPE = "application/json-patch+json"
Json = dict[str, Any]


class DSpaceClient:
    """One visitor. `session` is the user's Locust client; `jwt` is empty while not logged in."""

    def __init__(self, session: HttpSession) -> None:
        self._session = session
        self._csrf = ""
        self._issued = 0.0
        self._etags: dict[str, str] = {}
        self.jwt = ""

    def log_in(self, account: Account) -> Login:
        """Log in; REFUSED is the server's 401, UNANSWERED everything that may pass."""
        form = urlencode({"user": account.username, "password": account.password})
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        with self._request("POST", "/authn/login", data=form, headers=headers) as response:
            if response.status_code == 401:
                response.failure("login refused")
                return Login.REFUSED
            accepted = answers.status_is(response, (200,)) and self._keep_jwt(response)
        return Login.ACCEPTED if accepted else Login.UNANSWERED

    def log_out(self) -> None:
        """End the session, and with it every other one of this account."""
        if self.jwt:
            self.send("POST", "/authn/logout", wanted=(204,))
            self.jwt = ""

    def status(self) -> Json | None:
        """Return who the server takes this visitor for."""
        return self.get("/authn/status")

    def get(self, path: str) -> Json | None:
        """Return the JSON object at a path below the API; None when the request failed."""
        return self.send_json("GET", path)

    def embedded(self, path: str, name: str) -> list[Json]:
        """Return the embedded objects of a list; empty when the request failed."""
        body = self.get(path) or {}
        found: list[Json] = body.get("_embedded", {}).get(name, [])
        return found

    def search(self, query: str, scope: str = "", size: int = 20) -> list[Json]:
        """Return the items that a search finds on its first page."""
        asked = {"query": query, "dsoType": "item", "page": 0, "size": size}
        if scope:
            asked["scope"] = scope
        body = self.get(f"/discover/search/objects?{urlencode(asked)}") or {}
        page = body.get("_embedded", {}).get("searchResult", {}).get("_embedded", {})
        return [one["_embedded"]["indexableObject"] for one in page.get("objects", [])]

    def files(self, item: str) -> list[Json]:
        """Return the descriptions of an item's original files."""
        for bundle in self.embedded(f"/core/items/{item}/bundles", "bundles"):
            if bundle["name"] == "ORIGINAL":
                return self.embedded(f"/core/bundles/{bundle['uuid']}/bitstreams", "bitstreams")
        return []

    def view(self, uuid: str, kind: str = "item") -> None:
        """Report that this visitor looked at something, as the UI does."""
        event = json.dumps({"targetId": uuid, "targetType": kind})
        self.send("POST", "/statistics/viewevents", (201,), event, "application/json")

    def download(self, file: Json) -> None:
        """Load a file whole, and check its length; one loaded before costs a 304."""
        uuid = file["uuid"]
        known = self._etags.get(uuid)
        headers = {"If-None-Match": known} if known else {}
        with self._request("GET", f"/core/bitstreams/{uuid}/content", headers=headers) as response:
            if not answers.status_is(response, (304,) if known else (200,)):
                return
            if known is None and len(response.content or b"") != file["sizeBytes"]:
                response.failure("a file of another length than announced")
            self._etags[uuid] = _header(response, "ETag")

    def download_part(self, file: Json, first: int, last: int) -> None:
        """Load some bytes of a file, as a viewer of PDF files does, and check their number."""
        last = min(last, file["sizeBytes"] - 1)
        headers = {"Range": f"bytes={first}-{last}"}
        path = f"/core/bitstreams/{file['uuid']}/content"
        with self._request("GET", path, headers=headers) as response:
            right = answers.status_is(response, (206,))
            if right and len(response.content or b"") != last - first + 1:
                response.failure("a part of another length than asked for")

    def start_submission(self, collection: str) -> Json | None:
        """Start a draft in a collection and return it."""
        path = f"/submission/workspaceitems?owningCollection={collection}"
        return self.send_json("POST", path, (201,), "{}", "application/json")

    def upload(self, draft: Json, name: str, content: bytes) -> Json | None:
        """Upload a file into a draft and return the draft."""
        boundary = uuid4().hex
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
            "Content-Type: application/pdf\r\n\r\n"
        )
        body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        kind = f"multipart/form-data; boundary={boundary}"
        return self.send_json("POST", _draft(draft), (201,), body, kind)

    def patch_draft(self, draft: Json, operations: list[Json]) -> Json | None:
        """Edit a draft's sections and return the draft."""
        return self.send_json("PATCH", _draft(draft), (200,), json.dumps(operations), PATCH_TYPE)

    def deposit(self, draft: Json) -> bool:
        """Hand a draft in."""
        reference = draft["_links"]["self"]["href"]
        return self.send("POST", "/workflow/workflowitems", (201,), reference, "text/uri-list")

    def delete_draft(self, draft: Json) -> bool:
        """Throw a draft away."""
        return self.send("DELETE", _draft(draft), (204,))

    def patch_item(self, item: str, operations: list[Json]) -> Json | None:
        """Edit an archived item's metadata and return the item."""
        body = json.dumps(operations)
        return self.send_json("PATCH", f"/core/items/{item}", (200,), body, PATCH_TYPE)

    def send(
        self,
        method: str,
        path: str,
        wanted: Collection[int] = (200,),
        data: str | bytes = "",
        kind: str = "",
    ) -> bool:
        """Send a request whose answer's body doesn't matter; tell whether its status is right."""
        headers = {"Content-Type": kind} if kind else {}
        with self._request(method, path, data=data, headers=headers) as response:
            return answers.status_is(response, wanted)

    def send_json(
        self,
        method: str,
        path: str,
        wanted: Collection[int] = (200,),
        data: str | bytes = "",
        kind: str = "",
    ) -> Json | None:
        """Send a request and return the JSON object that answers it; None when it failed."""
        headers = {"Content-Type": kind} if kind else {}
        with self._request(method, path, data=data, headers=headers) as response:
            return answers.json_object(response, wanted)

    def _request(
        self, method: str, path: str, headers: Mapping[str, str], data: str | bytes = ""
    ) -> CaughtResponse:
        sent = dict(headers)
        if self.jwt and path != "/authn/login":
            self._refresh_in_time()
            sent["Authorization"] = f"Bearer {self.jwt}"
        if method not in SAFE_METHODS:
            sent["X-XSRF-TOKEN"] = self._csrf or self._first_token()
        return self._exchange(method, path, sent, data)

    def _exchange(
        self, method: str, path: str, headers: dict[str, str], data: str | bytes = ""
    ) -> CaughtResponse:
        response = self._session.request(
            method,
            API + path,
            name=group_path(API + path),
            data=data or None,
            headers=headers,
            catch_response=True,
        )
        self._csrf = _header(response, "DSPACE-XSRF-TOKEN") or self._csrf
        return response

    def _first_token(self) -> str:
        with self._exchange("GET", "/security/csrf", {}) as response:
            missing = response.status_code == 404
            answers.status_is(response, (204, 404))
        if missing:
            # Before 7.6 there is no such endpoint, and any answer may bring a token.
            with self._exchange("GET", "/authn/status", {}) as response:
                answers.status_is(response, (200,))
        return str(self._csrf)

    def _refresh_in_time(self) -> None:
        if time.monotonic() - self._issued < REFRESH_AFTER_SECONDS:
            return
        self._issued = time.monotonic()
        headers = {"Authorization": f"Bearer {self.jwt}", "X-XSRF-TOKEN": self._csrf}
        with self._exchange("POST", "/authn/login", headers) as response:
            if answers.status_is(response, (200,)):
                self._keep_jwt(response)

    def _keep_jwt(self, response: CaughtResponse) -> bool:
        scheme, _, token = _header(response, "Authorization").partition(" ")
        if scheme != "Bearer" or not token:
            response.failure("a login without a token")
            return False
        self.jwt, self._issued = token, time.monotonic()
        return True


def _draft(draft: Json) -> str:
    # The server's own link, without its host: the site may be reached through a proxy.
    path: str = urlsplit(draft["_links"]["self"]["href"]).path
    return path.partition(API)[2]


def _header(response: CaughtResponse, name: str) -> str:
    return str(response.headers.get(name, "")) if response.headers else ""
