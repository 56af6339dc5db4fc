"""Recorded WebSockets, replayed against servers of every kind."""

import time
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from locust.env import Environment

from loadgen.scenario import recorded
from tests.unit.scenario.socket_server import CLOSE, TEXT, Peer, serve, stay


class Replay:
    """A recorded session with the request events that it fires."""

    def __init__(self, host: str) -> None:
        self.fired: list[dict[str, Any]] = []
        environment = Environment()
        environment.events.request.add_listener(lambda **meta: self.fired.append(meta))
        defaults = {"user-agent": "Fox", "accept": "application/json"}
        settings = {"host": host, "tasks": [], "default_headers": defaults}
        kind: Any = type("Own", (recorded.RecordedUser,), settings)
        session: Any = recorded.RecordedSession
        self.session = session(kind(environment))
        self.session.on_start()

    def play(self, path: str = "/live/", **recording: Any) -> list[tuple[str, str]]:
        """Replay a WebSocket to its end; return what was counted, and what was wrong with it."""
        self.session.websocket(path, name="/live", **{"sends": [], "receives": 0, **recording})
        self.session._sockets.join()
        return [(one["request_type"], str(one["exception"] or "")) for one in self.fired]


@pytest.fixture(autouse=True)
def bounded(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(recorded, "WEBSOCKET_PATIENCE_SECONDS", 0.5)
    with gevent.Timeout(20):
        yield


def test_a_replay_offers_what_was_recorded() -> None:
    with serve(stay, lambda peer: peer.accept("Sec-WebSocket-Protocol: v1.chat")) as (host, peers):
        replay = Replay(host)
        cookies = (("a=all; Path=/", "/"), ("b=live; Path=/live", "/live/x"), ("c=no", "/other/x"))
        for line, path in cookies:
            cookie = recorded_cookie(line, path)
            replay.session.client.cookiejar.set_cookie(cookie)
        offer: dict[str, Any] = {
            "headers": {"X-Tenant": "7"},
            "subprotocols": ["v1.chat"],
            "compress": True,
        }
        assert replay.play(**offer) == [("WS connect", "")]
        (peer,) = peers
        assert peer.header("cookie") == "b=live; a=all"
        assert peer.header("x-tenant") == "7"
        assert peer.header("user-agent") == "Fox"
        assert peer.header("accept") == ""
        assert peer.header("sec-websocket-protocol") == "v1.chat"
        assert peer.header("sec-websocket-extensions").startswith("permessage-deflate")


def recorded_cookie(line: str, path: str) -> Any:
    from loadgen.scenario.http.cookies import parse_cookie  # noqa: PLC0415

    return parse_cookie(line, "127.0.0.1", path)


def prices(peer: Peer) -> None:
    """Say three prices, then goodbye with the code that the path names."""
    code = int(peer.head.split()[1].strip("/"))
    for price in (b"1", b"2", b"3"):
        peer.frame(TEXT, price)
    peer.close(code, b"so far")
    while peer.hear()[0] != CLOSE:
        pass


@pytest.mark.parametrize(
    ("code", "receives", "said"),
    [
        ("1000", 3, []),
        ("1001", 3, []),
        ("1000", 5, [("WS receive", "the server sent fewer messages than were recorded")]),
        ("1011", 5, [("WS receive", "the server closed the WebSocket with code 1011: so far")]),
        ("4001", 5, [("WS receive", "the server closed the WebSocket with code 4001: so far")]),
    ],
)
def test_a_goodbye_of_the_servers_ends_a_replay_at_once(
    code: str, receives: int, said: list[tuple[str, str]]
) -> None:
    with serve(prices) as (host, _):
        began, used = time.monotonic(), time.process_time()
        rows = Replay(host).play(f"/{code}", receives=receives)
        assert rows == [("WS connect", ""), *[("WS receive", "")] * 3, *said]
        assert time.monotonic() - began < 0.5 or time.process_time() - used < 0.3


def test_a_message_for_a_server_that_has_gone_is_a_failed_one_and_nobody_spins() -> None:
    with serve(prices) as (host, _):
        used = time.process_time()
        rows = Replay(host).play("/1000", sends=[(0.4, "hello")], receives=3)
        assert rows[-1] == (
            "WS send",
            "the server closed the WebSocket with code 1000: so far",
        )
        assert time.process_time() - used < 0.3


def test_a_session_that_ends_closes_its_websockets() -> None:
    with serve(stay) as (host, peers):
        replay = Replay(host)
        replay.session.websocket("/live", name="/live", sends=[], receives=9)
        while not replay.fired:
            gevent.sleep(0.01)
        replay.session.on_stop()
        assert peers[0].heard == [(CLOSE, b"\x03\xe8")]
        assert [one["request_type"] for one in replay.fired] == ["WS connect"]
