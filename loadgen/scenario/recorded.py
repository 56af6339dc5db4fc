"""The base of locustfiles that `make record` makes: a session is replayed page by page.

A session's requests are sent one after the other, with the values that its own answers gave
(`v`), the account of its own user, and the pauses of the person who was recorded.

    THINK_TIME_RATIO   pauses as a multiple of the recorded ones (1); 0 leaves them out
"""

import json as json_module
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from math import inf
from typing import Any
from urllib.parse import unquote, urlencode
from uuid import uuid4

import gevent
from gevent.pool import Group
from locust import SequentialTaskSet
from locust.exception import InterruptTaskSet

from loadgen.scenario import answers
from loadgen.scenario.account_file import Account
from loadgen.scenario.extractors import Extractor, Seen
from loadgen.scenario.http import FastUser
from loadgen.scenario.http.response import CaughtResponse
from loadgen.scenario.websockets import Channel, Message, WebSocketFault, open_channel
from loadgen.shared.errors import UsageError

NO_VALUES: Mapping[str, Extractor] = {}
WEBSOCKET_PATIENCE_SECONDS = 10.0
SAFE_METHODS = ("GET", "HEAD")
PAGE_HEADERS = ("user-agent", "accept-language")
"""What a browser sends alike with every request of a page, a WebSocket's too."""
Part = tuple[str, str, str, str | bytes | int]
"""Field, file name (empty for a plain field), media type, and content or its size in bytes."""


def require_secrets(variables: Mapping[str, str]) -> None:
    """Raise UsageError unless each environment variable is set; its value says what it is for."""
    missing = [f"{name} ({place})" for name, place in variables.items() if not os.environ.get(name)]
    if missing:
        raise UsageError(
            f"the secrets of this recording were removed from it: set {', '.join(missing)} in the"
            " environment"
        )


class RecordedUser(FastUser):
    """A user that replays a session. `account` is set when the session logs in."""

    abstract = True
    account = Account("", "")


class RecordedSession(SequentialTaskSet):
    """One recorded session, replayed from its first page with no cookies.

    `v` holds the values found in answers so far. A session ends early when an answer lacks a
    value that a later request needs.
    """

    user: RecordedUser

    def on_start(self) -> None:
        """Begin as a visitor whom the site doesn't know."""
        self.v: dict[str, str] = {}
        self.client.cookiejar.clear()
        self._sockets = Group()

    def send(  # noqa: PLR0913 - a recorded request is these things
        self,
        method: str,
        path: str,
        *,
        name: str,
        status: int,
        contains: str = "",
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | list[tuple[str, str]] | None = None,
        json: object = None,
        data: str | bytes | None = None,
        parts: Sequence[Part] = (),
        save: Mapping[str, Extractor] = NO_VALUES,
    ) -> None:
        """Send one request, check status and content of its answer, and keep values from it."""
        sent = dict(headers or {})
        if method not in SAFE_METHODS:
            # Browsers say where a change comes from, and Django wants to know it over https.
            host = self.client.origin
            sent |= {"origin": host, "referer": f"{host}/"}
        if parts:
            data, sent["content-type"] = _multipart(parts)
        elif form is not None:
            data = urlencode(form)
        elif json is not None:
            data = _json_text(json)
        with self.client.request(
            method,
            path,
            name=name,
            headers=sent,
            data=data,
            allow_redirects=False,
            catch_response=True,
        ) as response:
            right = answers.contains(response, contains, (status,))
            missing = self._keep(response, save)
            if right and missing:
                response.failure(f"the answer lacks {', '.join(missing)}")
        if missing:
            raise InterruptTaskSet

    def websocket(
        self,
        path: str,
        *,
        name: str,
        sends: Sequence[tuple[float, Message]],
        receives: int,
        headers: Mapping[str, str] | None = None,
        subprotocols: Sequence[str] = (),
        compress: bool = False,
    ) -> None:
        """Open a WebSocket while the replay goes on: send messages at their times, receive others.

        It stays open until as many messages came as were recorded, or the session ends; fewer
        until the server's goodbye, or within ten seconds of the last one sent, are a failed
        `WS receive`.
        """
        defaults = self.user.default_headers or {}
        sent = {one: str(value) for one, value in defaults.items() if one in PAGE_HEADERS}
        sent |= {field.lower(): value for field, value in (headers or {}).items()}
        if cookies := self.client.cookiejar.header(f"{self.client.base_url}/{path.lstrip('/')}"):
            sent["cookie"] = cookies
        offer = (sent, WEBSOCKET_PATIENCE_SECONDS, subprotocols, compress)
        self._sockets.spawn(self._talk, path, name, offer, sends, receives)

    def _talk(
        self,
        path: str,
        name: str,
        offer: tuple[Mapping[str, str], float, Sequence[str], bool],
        sends: Sequence[tuple[float, Message]],
        receives: int,
    ) -> None:
        ratio, began, heard = _think_time_ratio(), time.monotonic(), 0
        with suppress(WebSocketFault), open_channel(self.user, path, name, *offer) as channel:
            for seconds, message in sends:
                heard += _hear(channel, inf, began + seconds * ratio)
                channel.send(message)
            waited = time.monotonic()
            heard += _hear(channel, receives - heard, waited + WEBSOCKET_PATIENCE_SECONDS)
            if heard < receives:
                fault = TimeoutError("the server sent fewer messages than were recorded")
                channel.count("WS receive", time.monotonic() - waited, 0, fault)

    def on_stop(self) -> None:
        """Close the WebSockets that are open."""
        self._sockets.kill()

    def think(self, seconds: float) -> None:
        """Pause as the recorded person did."""
        gevent.sleep(seconds * _think_time_ratio())

    def cookie(self, name: str) -> str:
        """Return what a cookie holds now, percent-decoded; nothing when the site didn't set it."""
        held = [one.value or "" for one in self.client.cookiejar if one.name == name]
        return unquote(held[-1]).strip('"') if held else ""

    def leave(self) -> None:
        """End the session; the user begins another one."""
        raise InterruptTaskSet

    def _keep(self, response: CaughtResponse, save: Mapping[str, Extractor]) -> list[str]:
        if not save:
            return []
        headers: Any = response.headers or {}
        lower = {str(name).lower(): str(value) for name, value in headers.items()}
        seen = Seen(lower, response.text or "")
        missing = []
        for name, extractor in save.items():
            value = extractor.find(seen)
            if value is None:
                missing.append(name)
            else:
                self.v[name] = value
        return missing


def _hear(channel: Channel, most: float, until: float) -> int:
    """Receive messages until there are so many, a time, or the server's goodbye; return how many.

    `until` is a `time.monotonic`.
    """
    heard = 0
    while heard < most and (left := until - time.monotonic()) > 0:
        if channel.hear(left) is not None:
            heard += 1
        elif channel.closed:
            break
    return heard


def _think_time_ratio() -> float:
    return float(os.environ.get("THINK_TIME_RATIO", "1"))


def _json_text(value: object) -> str:
    """Return JSON as browsers write it: compact, and in UTF-8 where that can hold it."""
    text = json_module.dumps(value, separators=(",", ":"), ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json_module.dumps(value, separators=(",", ":"))
    return text


def _multipart(parts: Sequence[Part]) -> tuple[bytes, str]:
    """Return the body and its media type."""
    boundary = uuid4().hex
    body = b""
    for name, file_name, kind, content in parts:
        file = f'; filename="{_quoted(file_name)}"' if file_name else ""
        media = f"Content-Type: {kind}\r\n" if kind else ""
        named = f'Content-Disposition: form-data; name="{_quoted(name)}"{file}'
        head = f"--{boundary}\r\n{named}\r\n{media}\r\n"
        data = content.encode() if isinstance(content, str) else bytes(content)
        body += head.encode() + data + b"\r\n"
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def _quoted(name: str) -> str:
    """Return a name as browsers write it into a part's head."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
