"""The client of a user: Locust's FastHttpSession interface over this package's connections."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter, time
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from gevent import getcurrent
from locust.contrib.fasthttp import LocustBadStatusCode, LocustUserAgent
from locust.event import EventHook
from locust.user.users import User

from loadgen.scenario.http import redirect
from loadgen.scenario.http.cookies import Jar
from loadgen.scenario.http.errors import (
    FAILURES,
    NO_RETRIES,
    RedirectError,
)
from loadgen.scenario.http.exchange import How, exchange
from loadgen.scenario.http.head import sets_cookie
from loadgen.scenario.http.outlet import Outlet
from loadgen.scenario.http.pool import Origin, OriginKey, Pool, Timeouts
from loadgen.scenario.http.request import (
    NO_LINES,
    Fields,
    Heads,
    Key,
    Lines,
    Request,
    basic_auth,
    checked_method,
    encode_body,
    header_lines,
    keep,
    target_of,
    with_texts,
)
from loadgen.scenario.http.response import CaughtResponse, Response
from loadgen.scenario.http.verbs import Verbs

DEFAULT_HEADERS = {"User-Agent": "loadgen-fleet", "Accept-Encoding": "gzip, deflate, br"}
_VALID_STATUS = LocustUserAgent.valid_response_codes
_NO_CONTEXT: dict[str, Any] = {}
_PLAIN_CONTEXT = User.context
_BODILESS: tuple[None, Lines] = (None, NO_LINES)
_METHODS = {m: m for m in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")}
_ABSOLUTE = re.compile(r"https?://", re.IGNORECASE)
_BODY_HEADERS = frozenset(
    {"content-type", "content-length", "content-encoding", "transfer-encoding"}
)


class Agent(NamedTuple):
    """What `client.client` is good for in FastHttpUser: to close connections, to see cookies."""

    clientpool: Pool
    cookiejar: Jar


class HttpSession(Verbs):
    """Sends requests, keeps cookies and connections, and fires Locust's request event for each.

    `intended_start` (perf_counter seconds), if set, is when the next request should have started:
    its response time counts from there, so that a late start is not lost. It is used once, and by
    the greenlet that set it: others that share the client have their own. `answers` counts the
    responses.
    """

    def __init__(
        self,
        base_url: str,
        request_event: EventHook,
        user: User | None,
        pool: Pool,
        default_headers: Fields | None = None,
        max_redirects: int = 30,
        heads: Heads | None = None,
    ) -> None:
        self.request_name: str | None = None
        self.answers = 0
        self.max_redirects = max_redirects
        self._user = user
        self.request_event = request_event
        self._pool = pool
        self._heads = {} if heads is None else heads
        self._jar: Jar | None = None
        self._intended: dict[object, float] = {}
        self._defaults = header_lines({**DEFAULT_HEADERS, **(default_headers or {})})
        self._auth_line = ""
        self._set_base(base_url)

    def _set_base(self, base_url: str) -> None:
        self._origin = self._pool.origin(OriginKey.of(base_url))
        parts = urlsplit(base_url)
        if parts.username and parts.password:
            self._auth_line = basic_auth(unquote(parts.username), unquote(parts.password))
            base_url = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        self._base_url = base_url.rstrip("/")
        self._path = parts.path.rstrip("/")
        self._set_base_lines()

    def _set_base_lines(self) -> None:
        self._base_lines = {"host": self._origin.host_line, "authorization": self._auth_line}
        self._plain = "".join({**self._base_lines, **self._defaults}.values())
        self._common = f"{self._base_url} {self._origin.target_prefix} {self._plain}"

    @property
    def request_event(self) -> EventHook:
        """Locust's event that is fired for each request."""
        return self._event

    @request_event.setter
    def request_event(self, event: EventHook) -> None:
        self._event = event
        self._outlet = Outlet.of(event)

    @property
    def base_url(self) -> str:
        """What comes before each path; set it to go to another server, or to log in there."""
        return self._base_url

    @base_url.setter
    def base_url(self, base_url: str) -> None:
        self._set_base(base_url)

    @property
    def auth_header(self) -> str | None:
        """The Authorization of requests to the base URL, unless they have their own; or None."""
        return self._auth_line.partition(": ")[2].rstrip() or None

    @auth_header.setter
    def auth_header(self, value: str | bytes | None) -> None:
        self._auth_line = header_lines({"Authorization": value})["authorization"]
        self._set_base_lines()

    @property
    def origin(self) -> str:
        """The base URL's origin, as browsers write it into an Origin header."""
        return self._origin.key.text

    @property
    def client(self) -> Agent:
        """Connections and cookies, under the names that FastHttpUser's user agent gives them."""
        return Agent(self._pool, self.cookiejar)

    @property
    def cookiejar(self) -> Jar:
        """The user's cookies, an http.cookiejar.CookieJar."""
        if self._jar is None:
            self._jar = Jar()
        return self._jar

    @property
    def intended_start(self) -> float | None:
        """When this greenlet's next request should have started; None: when it does start."""
        return self._intended.get(getcurrent())

    @intended_start.setter
    def intended_start(self, seconds: float | None) -> None:
        if seconds is None:
            self._intended.pop(getcurrent(), None)
        else:
            self._intended[getcurrent()] = seconds

    @contextmanager
    def rename_request(self, name: str) -> Iterator[None]:
        """Count the requests of a with-block under `name`."""
        self.request_name = name
        try:
            yield
        finally:
            self.request_name = None

    def request(  # noqa: PLR0913, PLR0917 - FastHttpSession's interface
        self,
        method: str,
        url: str,
        name: str | None = None,
        data: Any = None,
        catch_response: bool = False,
        stream: bool = False,
        headers: Fields | None = None,
        auth: tuple[str | bytes, str | bytes] | None = None,
        json: Any = None,
        allow_redirects: bool = True,
        context: dict[str, Any] = _NO_CONTEXT,
        params: Any = None,
        files: Any = None,
        timeout: float | tuple[float, float] | None = None,
        max_redirects: int | None = None,
        max_retries: int | None = None,
        decode: bool = False,
    ) -> CaughtResponse:
        """Send a request, wait for its response and fire Locust's request event.

        The arguments are FastHttpUser's; `timeout` is in seconds, one for both or (connect, each
        wait for data); `decode` looks at the body at once, so that one that does not decode fails
        the request. A failure is reported, not raised: the response then has status_code 0 and
        `error`. Raises ValueError for arguments that HTTP has no room for. With `catch_response`
        the event is fired at the end of the with-block.
        """
        if max_retries:
            raise ValueError(NO_RETRIES.format(f"this request has max_retries={max_retries}"))
        start_time = time()
        body, kind = (
            _BODILESS if not data and json is None and not files else encode_body(data, json, files)
        )
        origin, request, sent = self._made(method, url, body, kind, headers, (auth, params, files))
        response = CaughtResponse(request) if catch_response else Response(request)
        limits = self._pool.settings.timeouts if timeout is None else Timeouts.of(timeout)
        started = perf_counter()
        if self._intended:
            start_time, started = self._as_intended(start_time, started)
        try:
            self._exchange(response, origin, sent, (limits, stream))
            if response.status_code in redirect.CODES and allow_redirects:
                most = self.max_redirects if max_redirects is None else max_redirects
                self._follow(response, (limits, stream), most)
            response.seconds = response.received_at - started
            if decode:
                response.decode()
            if response.status_code not in _VALID_STATUS:
                response.error = LocustBadStatusCode(response.url, code=response.status_code)
        except FAILURES as error:
            response.error = error.with_traceback(None)  # its frames refer to the response
            response.seconds = perf_counter() - started
        size = response.announced_bytes if stream else len(response.body or b"")
        name = name or self.request_name or url
        if response.error is None and not (catch_response or context):
            milliseconds, status = response.seconds * 1000, response.status_code
            if self._told(method, name, milliseconds, size, start_time, status):
                return response  # type: ignore[return-value]  # as FastHttpUser has it
        meta = {
            "request_type": method,
            "name": name,
            "context": context,
            "exception": response.error,
            "start_time": start_time,
            "url": request.url,
            "response_length": size,
            "response_time": response.seconds * 1000,
        }
        self._report(response, meta)
        return response  # type: ignore[return-value]  # as FastHttpUser has it: one type for both

    def _as_intended(self, start_time: float, started: float) -> tuple[float, float]:
        """Return both times as they would be had the greenlet's request started when intended."""
        intended = self._intended.pop(getcurrent(), started)
        return start_time - (started - intended), intended

    def _report(self, response: Response, meta: dict[str, Any]) -> None:
        """Fire the event, or leave that to the end of the with-block; the user adds its context."""
        if self._user:
            meta["context"] = {**self._user.context(), **meta["context"]}
        if isinstance(response, CaughtResponse):
            response.request_meta, response.request_event = meta, self._event
            response.told = self._told
        else:
            self._event.fire(response=response, **meta)

    def _told(
        self, method: str, name: str, milliseconds: float, size: int, start: float, status: int
    ) -> bool:
        """Tell of an ordinary request past the event, if all who listen to it take that.

        A user with a context of its own wants to be asked for it.
        """
        user = self._user
        if user is not None and (
            user.__class__.context is not _PLAIN_CONTEXT or "context" in user.__dict__
        ):
            return False
        outlet = self._outlet
        if outlet.listeners != self._event._handlers:
            outlet.renew(self._event)
        if not outlet.takers or name.__class__ is not str or not milliseconds >= 0:
            return False
        for take in outlet.takers:
            take(method, name, milliseconds, size, start, status)
        return True

    def _made(
        self,
        method: str,
        url: str,
        body: bytes | None,
        kind: Lines,
        headers: Fields | None,
        others: tuple[Any, Any, Any],
    ) -> tuple[Origin, Request, bytes]:
        """Return a request and its bytes, from what is kept of those like it if possible.

        `others` are auth, params and files, if any.
        """
        auth, params, files = others
        key: Key | None = None
        if not (auth or params or files) and url[:1] == "/":
            key = self._common, method, url, kind.get("content-type")
            if headers:
                key = with_texts(key, headers)
            kept = self._heads.get(key) if key else None
            if kept is not None:
                if self._jar is None:
                    if body is None:
                        return self._origin, kept.request, kept.whole
                    request = kept.with_body(body)
                    return self._origin, request, request.head
                request = kept.again(body)
                return self._origin, request, request.finish(kept.start + self._cookies(request))
        lines = self._merge(kind, headers, auth) if kind or headers or auth else self._defaults
        origin, request = self._address(method, url, params, lines, body)
        start = request.start(self._header_text(origin, request))
        if key is not None:
            keep(self._heads, key, request, start)
        return origin, request, request.finish(start + self._cookies(request))

    def _merge(
        self, body_lines: Lines, headers: Fields | None, auth: tuple[Any, Any] | None
    ) -> Lines:
        lines = {**self._defaults, **body_lines, **header_lines(headers or {})}
        if auth:
            lines["authorization"] = basic_auth(*auth)
        return lines

    def _address(
        self, method: str, url: str, params: Any, lines: Lines, body: bytes | None
    ) -> tuple[Origin, Request]:
        if url.startswith("/"):
            origin, full_url, target = self._origin, self.base_url + url, self._path + url
        else:
            origin, full_url, target = self._locate(url)
        method = _METHODS.get(method) or checked_method(method)
        target = origin.target_prefix + target_of(target, params)
        return origin, Request(method, full_url, target, lines, body)

    def _locate(self, url: str) -> tuple[Origin, str, str]:
        if not _ABSOLUTE.match(url):
            url = self.base_url + url
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return self._pool.origin(OriginKey.of(url)), url, target

    def _exchange(self, response: Response, at: Origin, sent: bytes, how: How) -> None:
        may_set_cookie = exchange(response, at, sent, how)
        self.answers += 1
        if may_set_cookie and sets_cookie(response.raw) and response.headers is not None:
            self.cookiejar.take(response.request.url, response.headers)

    def _header_text(self, origin: Origin, request: Request) -> str:
        if origin is not self._origin:
            return "".join({"host": origin.host_line, **request.lines}.values())
        if request.lines is self._defaults:
            return self._plain
        return "".join({**self._base_lines, **request.lines}.values())

    def _cookies(self, request: Request) -> bytes:
        if self._jar is None or "cookie" in request.lines:
            return b""
        cookies = self._jar.header(request.url)
        return f"Cookie: {cookies}\r\n".encode("latin-1") if cookies else b""

    def _follow(self, response: Response, how: How, most: int) -> None:
        """Go where redirects lead; `response` becomes the last one, with the others in history."""
        while most and response.status_code in redirect.CODES:
            location = redirect.location_of(response.headers)
            if not location:
                return
            origin, request = self._redirected(response, location)
            response.step_back()
            if len(response.history) > most:
                raise RedirectError(
                    f"the request was redirected more than {most} times (max_redirects)"
                )
            response.request = request
            start = request.start(self._header_text(origin, request))
            self._exchange(response, origin, request.finish(start + self._cookies(request)), how)

    def _redirected(self, response: Response, location: str) -> tuple[Origin, Request]:
        request, status = response.request, response.status_code
        url = redirect.next_url(request.url, location)
        method = redirect.next_method(status, request.method)
        lines, body = dict(request.lines), request.body
        if not redirect.keeps_body(status, request.method):
            lines = {name: line for name, line in lines.items() if name not in _BODY_HEADERS}
            body = None
        try:
            if OriginKey.of(url) != OriginKey.of(request.url):
                lines.pop("authorization", None)
                lines.pop("cookie", None)
            return self._address(method, url, None, lines, body)
        except ValueError as error:
            raise RedirectError(
                f"the redirect from {request.url} can't be followed: {error}"
            ) from error

    def close(self) -> None:
        """Close the connections that are not in use."""
        self._pool.close()
