"""FastUser: FastHttpUser's interface on this package's client."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from ssl import SSLContext
from typing import Any, ClassVar

from gevent import Greenlet
from gevent.pool import Group
from locust import User
from locust.env import Environment
from locust.exception import StopTest
from locust.user.task import DefaultTaskSet, TaskSet
from locust.user.users import RestMixin

from loadgen.scenario.http.address import Resolver
from loadgen.scenario.http.errors import NO_RETRIES
from loadgen.scenario.http.lean_loop import LeanTaskSet
from loadgen.scenario.http.pool import Pool, Settings, Timeouts
from loadgen.scenario.http.request import Fields, Heads
from loadgen.scenario.http.response import CaughtResponse
from loadgen.scenario.http.session import HttpSession
from loadgen.scenario.http.tls import is_insecure, shared_context


class RestResponse(CaughtResponse):
    """What `rest` gives a with-block: a response with its JSON, parsed, as `js`."""

    js: Any


class FastUser(User, RestMixin[RestResponse]):
    """An HTTP user for high rates. Change a locustfile's FastHttpUser to it by the import alone.

    The class attributes are FastHttpUser's; docs/http-user.md lists what differs.
    """

    abstract = True

    network_timeout: float = 60.0
    """Seconds to wait for data, each time."""

    connection_timeout: float = 60.0
    """Seconds to wait for a connection, for each address of a host."""

    max_redirects: int = 30
    """How many redirects a request follows; 0: none."""

    insecure: bool | None = None
    """Whether to accept any TLS certificate; None: no, unless the run has --insecure-target.

    FastHttpUser accepts any by default.
    """

    default_headers: Mapping[str, Any] | None = None
    """Headers of every request, unless it names its own; a value of None leaves one out."""

    concurrency: int = 10
    """How many requests a user may have under way at once, from greenlets of its own."""

    client_pool: Pool | None = None
    """Connections to share among users; None: each user has its own, as a browser has."""

    ssl_context_factory: Callable[[], SSLContext] | None = None
    """Makes the TLS context of a user; None: one for the process, with the system's CAs."""

    resolver: ClassVar[Resolver] = Resolver()
    """Remembers what names resolve to, for all users of the process."""

    heads: ClassVar[Heads] = {}
    """Keeps what is the same each time of the requests of all users of the process."""

    client_certificate: str | tuple[str, str] | None = None
    """Shown to servers that ask for one: a PEM file with certificate and key, or one of each.

    The key must not be encrypted.
    """

    proxy_host: str | None = None
    """An HTTP proxy that all requests go through; with `proxy_port`."""

    proxy_port: int | None = None
    """The port of `proxy_host`."""

    trace_ratio: float = 0.0
    """The share of requests, 0 to 1, that begin a trace (W3C's traceparent); see tracing.py."""

    max_retries: int = 0
    """Not supported: must be 0. A load test counts what a server failed to answer."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._refuse_unsupported()
        if self.host is None:
            raise StopTest(
                "no host is set: give the target's base URL as host in the locustfile or by --host"
            )
        self.client = self.make_client()

    def make_client(self) -> HttpSession:
        """Return a client of this user's settings, with cookies and connections of its own."""
        return self._kind_of_client()(
            base_url=str(self.host),
            request_event=self.environment.events.request,
            user=self,
            pool=self.client_pool or Pool(self._settings()),
            default_headers=self.default_headers,
            max_redirects=self.max_redirects,
            heads=self.heads,
        )

    def _kind_of_client(self) -> Callable[..., HttpSession]:
        if not self.trace_ratio:
            return HttpSession
        # It is made of this package's parts, and most users need none of it.
        from loadgen.scenario.tracing import TracedSession  # noqa: PLC0415

        return partial(TracedSession, self.trace_ratio)

    def tls_context(self) -> SSLContext:
        """Return the context of this user's connections, for other protocols than HTTP."""
        return self._settings().context()

    def _settings(self) -> Settings:
        factory = type(self).ssl_context_factory
        certificate = self.client_certificate
        return Settings(
            resolver=self.resolver,
            timeouts=Timeouts(self.connection_timeout, self.network_timeout),
            concurrency=self.concurrency,
            context=cache(factory) if factory else self._context(certificate),
            proxy=(self.proxy_host, self.proxy_port)
            if self.proxy_host is not None and self.proxy_port is not None
            else None,
        )

    def _context(self, certificate: str | tuple[str, str] | None) -> Callable[[], SSLContext]:
        insecure = is_insecure(self.insecure)
        if certificate is not None:
            try:
                shared_context(insecure, certificate)
            except (OSError, ValueError) as error:
                raise StopTest(
                    f"{type(self).__name__} has client_certificate = {certificate!r}, which can't "
                    f"be used: {error}; give a PEM file with certificate and unencrypted key"
                ) from error
        return partial(shared_context, insecure, certificate)

    def _refuse_unsupported(self) -> None:
        who = type(self).__name__
        if self.max_retries:
            raise StopTest(NO_RETRIES.format(f"{who} has max_retries = {self.max_retries!r}"))
        if not (isinstance(self.trace_ratio, int | float) and 0 <= self.trace_ratio <= 1):
            raise StopTest(
                f"{who} has trace_ratio = {self.trace_ratio!r}: give the share from 0 to 1 of the "
                "requests that are to begin a trace"
            )
        if (self.proxy_host is None) != (self.proxy_port is None):
            raise StopTest(
                f"{who} has proxy_host = {self.proxy_host!r} and proxy_port = {self.proxy_port!r}: "
                "a proxy needs both"
            )
        if self.client_pool is not None and not isinstance(self.client_pool, Pool):
            raise StopTest(
                f"{who} has client_pool = {self.client_pool!r}: FastUser shares connections of its "
                "own kind; give client_pool = Pool(Settings(concurrency=10)), both from "
                "loadgen.scenario.http"
            )
        if self.client_certificate is not None and type(self).ssl_context_factory is not None:
            raise StopTest(
                f"{who} has client_certificate and ssl_context_factory: give one of them, and let "
                "the factory load the certificate"
            )

    @contextmanager
    def rest(
        self, method: str, url: str, headers: Fields | None = None, **kwargs: Any
    ) -> Iterator[RestResponse]:
        """Send a request that expects JSON, as RestMixin; a body that does not decode fails it."""
        fields = None if headers is None else dict(headers)
        with super().rest(method, url, fields, decode=True, **kwargs) as response:
            yield response

    @property
    def _taskset_instance(self) -> TaskSet | None:
        """What Locust runs the user's tasks by; its default becomes the lean one."""
        return self._tasks_run_by

    @_taskset_instance.setter
    def _taskset_instance(self, task_set: TaskSet | None) -> None:
        if type(task_set) is DefaultTaskSet:
            task_set.__class__ = LeanTaskSet
        self._tasks_run_by = task_set

    def start(self, group: Group) -> Greenlet:
        """Start the user; its connections are closed when it ends."""
        greenlet = super().start(group)
        if self.client_pool is None:
            greenlet.link(lambda _: self.client.close())
        return greenlet
