"""Streams of events and WebSockets against a target that streams: each step is counted once."""

import itertools
from collections import Counter
from collections.abc import Iterator
from statistics import median
from typing import Any

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st
from locust.env import Environment

from loadgen.scenario import recorded
from loadgen.scenario.streams import LARGEST_EVENT_BYTES, StreamEvent, StreamUser, parse
from loadgen.scenario.websockets import WebSocketFault, WebSocketUser
from tests.servers import simulator

TEXT = (
    b"\xef\xbb\xbf: hello\nid: 1\ndata: a\ndata: b\n\nevent: note\r\ndata:c\r\n\r\n"
    b"retry: 5\n\ndata\n\n"
)
EVENTS = [StreamEvent("a\nb", id="1"), StreamEvent("c", "note", "1"), StreamEvent("", id="1")]


@given(st.lists(st.integers(0, len(TEXT)), max_size=8))
def test_events_are_the_same_however_they_come_in_pieces(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(TEXT)]
    pieces = [TEXT[start:end] for start, end in itertools.pairwise(places)]
    assert list(parse(iter(pieces))) == EVENTS


@pytest.mark.parametrize("line", [b"x" * 100_000, b"data: x\n" * 20_000])
def test_an_event_without_end_is_refused(line: bytes) -> None:
    endless = (line for _ in range(100 * LARGEST_EVENT_BYTES // len(line)))
    with pytest.raises(ValueError, match="an event has more than"):
        list(parse(endless))


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with simulator("streams", options=["--every", "0.01"]) as url:
        yield url


@pytest.fixture
def fired() -> Iterator[list[dict[str, Any]]]:
    with gevent.Timeout(20):
        yield []


def _user(kind: Any, host: str, fired: list[dict[str, Any]]) -> Any:
    environment = Environment()
    environment.events.request.add_listener(lambda **meta: fired.append(meta))
    return type("Own", (kind,), {"host": host, "tasks": []})(environment)


def _rows(fired: list[dict[str, Any]]) -> Counter[tuple[str, bool]]:
    return Counter((one["request_type"], one["exception"] is not None) for one in fired)


def test_a_token_stream_has_a_first_event_and_gaps(
    target: str, fired: list[dict[str, Any]]
) -> None:
    user = _user(StreamUser, target, fired)
    heard: list[StreamEvent] = []
    came = user.listen(
        "/v1/chat/completions", method="POST", json={}, ends_with="[DONE]", on_event=heard.append
    )
    assert came.events == len(heard) == 12
    assert 0 < came.first_seconds < came.seconds
    rows = _rows(fired)
    assert rows.pop(("SSE event", False)) == 11
    assert rows == {("POST", False): 1, ("SSE first", False): 1, ("SSE", False): 1}
    gaps = [one["response_time"] for one in fired if one["request_type"] == "SSE event"]
    assert median(gaps) > 1  # a reader that had to wait for a core finds several at once
    user.client.close()


@pytest.mark.parametrize(
    ("path", "options", "events", "fault"),
    [
        ("/events", {"events_max": 5}, 5, None),
        ("/events?count=3", {}, 3, None),
        ("/events?count=3", {"ends_with": "[DONE]"}, 3, "the stream ended without '[DONE]'"),
        ("/other", {}, 0, "the answer has status 404 instead of 200"),
        ("/_state", {}, 0, "the answer does not have the Content-Type text/event-stream"),
    ],
)
def test_a_stream_ends_at_its_bound_or_fails(
    path: str,
    options: dict[str, Any],
    events: int,
    fault: str | None,
    target: str,
    fired: list[dict[str, Any]],
) -> None:
    user = _user(StreamUser, target, fired)
    assert user.listen(path, **options).events == events
    (whole,) = [one for one in fired if one["request_type"] == "SSE"]
    assert str(whole["exception"] or "") == (fault or "")
    user.client.close()


def test_a_stream_ends_at_its_time_bound(target: str, fired: list[dict[str, Any]]) -> None:
    user = _user(StreamUser, target, fired)
    for seconds in (0.3, 3.0, 20.0):  # on a busy machine the first event comes late
        came = user.listen("/events?every=60", seconds_max=seconds)
        assert seconds <= came.seconds < 60
        if came.events:
            break
    assert came.events == 1
    user.client.close()


def test_a_websocket_is_connected_asked_and_heard(target: str, fired: list[dict[str, Any]]) -> None:
    user = _user(WebSocketUser, target, fired)
    with user.connect("/echo?room=7") as channel:
        assert channel.ask("hello") == "hello"
        assert channel.ask(b"\x00\xff", name="binary") == b"\x00\xff"
        channel.send("later")
        assert channel.receive() == "later"
    with user.connect("/prices") as channel:
        channel.send("mine")
        assert channel.ask("again", is_answer="again".__eq__) == "again"
    assert not any(one["exception"] for one in fired)
    assert Counter((one["request_type"], one["name"]) for one in fired) == {
        ("WS connect", "/echo"): 1, ("WS ask", "/echo"): 1, ("WS ask", "binary"): 1,
        ("WS send", "/echo"): 1, ("WS receive", "/echo"): 1, ("WS connect", "/prices"): 1,
        ("WS send", "/prices"): 1, ("WS ask", "/prices"): 1,
    }  # fmt: skip


def test_a_websocket_asks_no_proxy_of_the_environment(
    target: str, fired: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    user = _user(WebSocketUser, target, fired)
    with user.connect("/echo") as channel:
        assert channel.ask("hello") == "hello"


def test_what_fails_on_a_websocket_is_counted_and_ends_the_task(
    target: str, fired: list[dict[str, Any]]
) -> None:
    user = _user(WebSocketUser, target, fired)
    with pytest.raises(WebSocketFault):
        user.connect("/nowhere")
    with user.connect("/echo") as channel, pytest.raises(WebSocketFault):
        channel.receive(seconds=0.05)
    assert _rows(fired) == {
        ("WS connect", True): 1, ("WS connect", False): 1, ("WS receive", True): 1,
    }  # fmt: skip


def test_a_recorded_websocket_is_opened_with_its_messages_in_their_time(
    target: str, fired: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorded, "WEBSOCKET_PATIENCE_SECONDS", 0.2)
    user = _user(recorded.RecordedUser, target, fired)
    kind: Any = recorded.RecordedSession
    for receives, missed in ((2, 0), (3, 1)):
        session = kind(user)
        session.on_start()
        fired.clear()
        session.websocket("/echo", name="/echo", sends=[(0.0, "a"), (0.2, b"b")], receives=receives)
        session._sockets.join()
        session.on_stop()
        rows = Counter(one["request_type"] for one in fired)
        assert rows == {"WS connect": 1, "WS send": 2, "WS receive": 2 + missed}
        faults = [str(one["exception"]) for one in fired if one["exception"]]
        assert faults == ["the server sent fewer messages than were recorded"] * missed
    user.client.close()
