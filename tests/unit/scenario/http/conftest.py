"""Both clients over the same servers: FastHttpUser's, and this project's."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import gevent
import pytest
from locust import FastHttpUser
from locust.env import Environment

from loadgen.scenario.http import FastUser
from tests.unit.scenario.http.awkward import Awkward, awkward_server

TIMEOUT_SECONDS = 60
USERS = {"FastHttpUser": FastHttpUser, "FastUser": FastUser}


@dataclass
class Client:
    """A user's client, with the request events that it has fired."""

    kind: str
    user: Any
    fired: list[dict[str, Any]] = field(default_factory=list)

    @property
    def http(self) -> Any:
        return self.user.client

    @property
    def ours(self) -> bool:
        return self.kind == "FastUser"

    @property
    def last(self) -> dict[str, Any]:
        return self.fired[-1]


def make_client(kind: str, host: str, **attributes: Any) -> Client:
    environment = Environment()
    user_class = type("User", (USERS[kind],), {"host": host, "tasks": [], **attributes})
    client = Client(kind, user_class(environment))
    environment.events.request.add_listener(lambda **meta: client.fired.append(meta))
    return client


def close(client: Client) -> None:
    if client.ours:
        client.http.close()
    else:
        client.http.client.close()


@pytest.fixture(autouse=True)
def _hard_timeout() -> Iterator[None]:
    with gevent.Timeout(TIMEOUT_SECONDS):
        yield


@pytest.fixture
def server() -> Iterator[Awkward]:
    with awkward_server() as awkward:
        yield awkward


@pytest.fixture(params=USERS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(kind: str, server: Awkward) -> Iterator[Client]:
    made = make_client(kind, server.url, network_timeout=30.0, connection_timeout=30.0)
    yield made
    close(made)


@pytest.fixture
def ours(server: Awkward) -> Iterator[Client]:
    made = make_client("FastUser", server.url, network_timeout=30.0, connection_timeout=30.0)
    yield made
    close(made)
