"""FastUser: FastHttpUser's interface on this package's client."""

import os
from collections.abc import Callable, Mapping
from functools import cache, partial
from ssl import SSLContext
from typing import Any, ClassVar

from gevent import Greenlet
from gevent.pool import Group
from locust import User
from locust.env import Environment
from locust.exception import StopTest
from locust.user.users import RestMixin

from loadgen.scenario.http.address import Resolver
from loadgen.scenario.http.pool import Pool, Settings, Timeouts
from loadgen.scenario.http.response import CaughtResponse
from loadgen.scenario.http.session import HttpSession
from loadgen.scenario.http.tls import shared_context


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

    insecure: bool = os.environ.get("INSECURE_TARGET") == "1"
    """Whether to accept any TLS certificate: no, unless the run has --insecure-target.

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

    proxy_host: str | None = None
    """Not supported: must be None."""

    proxy_port: int | None = None
    """Not supported: must be None."""

    max_retries: int = 0
    """Not supported: must be 0. A load test counts what a server failed to answer."""

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self._refuse_unsupported()
        if self.host is None:
            raise StopTest(
                "no host is set: give the target's base URL as host in the locustfile or by --host"
            )
        self.client = HttpSession(
            base_url=self.host,
            request_event=environment.events.request,
            user=self,
            pool=self.client_pool or Pool(self._settings()),
            default_headers=self.default_headers,
            max_redirects=self.max_redirects,
        )

    def _settings(self) -> Settings:
        factory = type(self).ssl_context_factory
        return Settings(
            resolver=self.resolver,
            timeouts=Timeouts(self.connection_timeout, self.network_timeout),
            concurrency=self.concurrency,
            context=cache(factory) if factory else partial(shared_context, self.insecure),
        )

    def _refuse_unsupported(self) -> None:
        for name, value in (("proxy_host", None), ("proxy_port", None), ("max_retries", 0)):
            if getattr(self, name) != value:
                raise StopTest(
                    f"{type(self).__name__} has {name} = {getattr(self, name)!r}: FastUser has no "
                    f"proxies and no retries, so leave {name} out or use locust.FastHttpUser"
                )

    def start(self, group: Group) -> Greenlet:
        """Start the user; its connections are closed when it ends."""
        greenlet = super().start(group)
        if self.client_pool is None:
            greenlet.link(lambda _: self.client.close())
        return greenlet
