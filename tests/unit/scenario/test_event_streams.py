"""Streams of events from servers of every kind: what is heard, counted, and how long it took."""

import gzip
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st
from locust.env import Environment

from loadgen.scenario.streams import EventParser, Heard, StreamEvent, StreamUser, parse
from tests.unit.scenario.socket_server import listening

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n"
ONE = StreamEvent("one")

STREAMS: dict[str, tuple[bytes, list[StreamEvent]]] = {
    "line feeds": (b"data: one\n\n", [ONE]),
    "carriage returns": (b"data: one\r\rdata: one\r\r", [ONE, ONE]),
    "both": (b"data: one\r\n\r\n", [ONE]),
    "mixed": (b"data: one\r\n\ndata: one\n\rdata: one\r\r\n", [ONE, ONE, ONE]),
    "several lines": (b"data: a\ndata:b\ndata\ndata:  c\n\n", [StreamEvent("a\nb\n\n c")]),
    "comments": (b": hello\n\n:\n: data: no\ndata: one\n:in between\n\n", [ONE]),
    "a BOM": (b"\xef\xbb\xbfdata: one\n\n", [ONE]),
    "a BOM later": (b"data: one\n\n\xef\xbb\xbfdata: two\n\n", [ONE]),
    "two BOMs": (b"\xef\xbb\xbf\xef\xbb\xbfdata: two\n\n", []),
    "no last blank line": (b"data: one\n\ndata: lost\n", [ONE]),
    "no last line end": (b"data: one\n\ndata: lost", [ONE]),
    "retry, ids and unknown fields": (
        b"retry: 5\nid: 7\nname: x\nDATA: no\ndata: one\n\ndata: one\n\nid\ndata: one\n\n",
        [StreamEvent("one", id="7"), StreamEvent("one", id="7"), ONE],
    ),
    "an id with NUL": (
        b"id: 1\ndata: one\n\nid: 2\x003\ndata: one\n\n",
        [StreamEvent("one", id="1")] * 2,
    ),
    "names": (
        b"event: note\ndata: one\n\nevent: lost\n\ndata: one\n\nevent:\ndata: one\n\n",
        [StreamEvent("one", "note"), ONE, ONE],
    ),
    "no data": (b"event: note\nid: 3\n\n\n\n", []),
    "empty data": (b"data\n\ndata:\n\n", [StreamEvent("")] * 2),
    "other line ends are none": (
        "data: a\u2028b\x0bc\x85\n\n".encode(),
        [StreamEvent("a\u2028b\x0bc\x85")],
    ),
    "no UTF-8": (b"data: \xff\xc3\n\n", [StreamEvent("��")]),
    "a colon in a value": (b"data: a: b\ndata::\n\n", [StreamEvent("a: b\n:")]),
}  # fmt: skip


@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_is_read_as_the_standard_says_cut_at_every_byte(kind: str) -> None:
    text, events = STREAMS[kind]
    assert list(parse([text])) == events
    for cut in range(len(text) + 1):
        assert list(parse([text[:cut], b"", text[cut:]])) == events
    assert list(parse(bytes([one]) for one in text)) == events


@given(st.lists(st.sampled_from([b"data: a", b"id: 1", b":", b"\n", b"\r", b"\r\n", b"x\xff"])))
def test_pieces_change_nothing(parts: list[bytes]) -> None:
    assert list(parse([b"".join(parts)])) == list(parse(bytes([one]) for one in b"".join(parts)))


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_an_event_is_there_as_soon_as_its_blank_line_is(end: bytes) -> None:
    assert list(EventParser().feed(b"data: one" + end + end)) == [ONE]


def test_comments_that_keep_a_stream_alive_are_no_part_of_an_event() -> None:
    alive = b": " + b"x" * 10_000 + b"\n"
    assert list(parse([*([alive] * 300), b"data: one\n\n"])) == [ONE]


@contextmanager
def serve(*parts: bytes | float, head: bytes = HEAD, hold: bool = False) -> Iterator[Any]:
    """Serve an answer whose parts are bytes, and seconds of silence; yields a user."""

    def handle(sock: Any) -> None:
        while b"\r\n\r\n" not in sock.recv(65536):
            pass
        for part in (head + b"\r\n", *parts):
            if isinstance(part, bytes):
                sock.sendall(part)
            else:
                gevent.sleep(part)
        if hold:
            gevent.sleep(60)

    with listening(handle) as url:
        environment = Environment()
        kind: Any = type("Own", (StreamUser,), {"host": url, "tasks": []})
        user = kind(environment)
        user.fired = []
        environment.events.request.add_listener(lambda **meta: user.fired.append(meta))
        try:
            with gevent.Timeout(20):
                yield user
        finally:
            user.client.close()


def fault(user: Any) -> str:
    (whole,) = [one for one in user.fired if one["request_type"] == "SSE"]
    return str(whole["exception"] or "")


def chunked(*parts: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in parts)


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n"
FAULTS: dict[str, tuple[tuple[bytes, ...], dict[str, Any], int | None, str]] = {
    "ended": ((HEAD, b"data: one\n\n"), {}, 1, ""),
    "ended within an event": (
        (HEAD, b"data: one\n\ndata: lo"), {}, 1, "the stream ended in the middle of an event",
    ),
    "no last blank line": (
        (HEAD, b"data: [DONE]\n"), {"ends_with": "[DONE]"}, 0,
        "the stream ended in the middle of an event",
    ),
    "no event": (
        (HEAD, b": nothing\n\n"),
        {},
        0,
        "the stream ended before it had sent events_min events (0 of 1)",
    ),
    "no event, allowed": ((HEAD, b": nothing\n\n"), {"events_min": 0}, 0, ""),
    "too few": (
        (HEAD, b"data: one\n\n"),
        {"events_min": 3},
        1,
        "the stream ended before it had sent events_min events (1 of 3)",
    ),
    "done": ((HEAD, b"data: one\n\ndata: [DONE]\n\n"), {"ends_with": "[DONE]"}, 2, ""),
    "cut off in a chunk": ((CHUNKED, chunked(b"data: one\n\n") + b"ff\r\nda"), {}, 1, "closed"),
    "cut off between chunks": ((CHUNKED, chunked(b"data: one\n\n")), {}, 1, "closed"),
    "shorter than it says": (
        (HEAD + b"Content-Length: 99\r\n", b"data: one\n\n"), {}, 1, "closed",
    ),
    "another type": (
        (HEAD.replace(b"event-stream", b"event-streams"), b"data: one\n\n"), {}, 0,
        "the answer does not have the Content-Type text/event-stream",
    ),
    "in capitals": ((HEAD.replace(b"text/event", b"Text/EVENT"), b"data: one\n\n"), {}, 1, ""),
    "no content": (
        (HEAD.replace(b"200 OK", b"204 No Content"),), {}, 0,
        "the answer has status 204 instead of 200",
    ),
    "an error": (
        (HEAD.replace(b"200 OK", b"429 Too Many"), b"data: one\n\n"), {}, 0,
        "the answer has status 429 instead of 200",
    ),
    "a huge line": (
        (HEAD, b"data: " + b"x" * 1_100_000), {}, 0, "an event has more than 1,000,000 bytes",
    ),
    "gzip": ((HEAD + b"Content-Encoding: gzip\r\n", gzip.compress(b"data: one\n\n")), {}, 1, ""),
    "gzip cut off": (
        (HEAD + b"Content-Encoding: gzip\r\n", gzip.compress(b"data: one\n\n" * 9)[:-12]), {}, None,
        "the body is cut off: its gzip data is incomplete",
    ),
    "no gzip": (
        (HEAD + b"Content-Encoding: gzip\r\n", b"data: one\n\n"), {}, 0,
        "the body can't be decoded as its Content-Encoding says",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FAULTS)
def test_a_stream_is_counted_as_what_it_is(case: str) -> None:
    (head, *parts), options, events, said = FAULTS[case]
    with serve(*parts, head=head) as user:
        came: Heard = user.listen("/", **options)
        assert said in fault(user)
        assert bool(said) == bool(fault(user))
        assert events is None or came.events == events


def test_a_packed_stream_comes_event_by_event() -> None:
    packer = zlib.compressobj(wbits=31)

    def packed(text: bytes) -> bytes:
        return packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH)

    parts = (packed(b"data: one\n\n"), 0.2, packed(b"data: two\n\n"))
    with serve(*parts, head=HEAD + b"Content-Encoding: gzip\r\n", hold=True) as user:
        came = user.listen("/", events_max=2)
        assert came.first_seconds < 0.2 < came.seconds


@pytest.mark.parametrize(
    ("parts", "options", "said"),
    [
        ((), {}, "timed out: the server sent fewer than events_min events within 0.2 s (0 of 1)"),
        ((), {"events_min": 0}, ""),
        ((b"data: one\n\n",), {}, ""),
        (
            (b"data: one\n\n",),
            {"ends_with": "[DONE]"},
            "timed out: the server did not send '[DONE]' within 0.2 s",
        ),
        (
            (b": alive\n\n", 0.05) * 50,
            {},
            "timed out: the server sent fewer than events_min events within 0.2 s (0 of 1)",
        ),
    ],
)
def test_a_stream_that_goes_on_is_judged_at_its_bound(
    parts: Iterable[bytes | float], options: dict[str, Any], said: str
) -> None:
    with serve(*parts, hold=True) as user:
        came = user.listen("/", seconds_max=0.2, **options)
        assert fault(user) == said
        assert 0.2 <= came.seconds < 5


def test_a_server_that_never_answers_is_a_failure() -> None:
    with serve(60.0, head=b"HTTP/1.1 200") as user:
        user.listen("/", seconds_max=0.2)
        assert (
            fault(user)
            == "timed out: the server sent fewer than events_min events within 0.2 s (0 of 1)"
        )


def test_times_are_the_servers_own_whatever_the_user_does() -> None:
    """The user needs 0.1 s for each event; two come together, and one comes meanwhile."""
    parts = (0.2, b"data: 1\n\ndata: 2\n\n", 0.05, b"data: 3\n\n", 0.3, b"data: 4\n\n")
    with serve(*parts) as user:
        began = time.monotonic()
        came = user.listen("/", on_event=lambda _: gevent.sleep(0.1))
        assert time.monotonic() - began > 0.6
        assert 0.2 <= came.first_seconds < 0.28
        gaps = [one["response_time"] for one in user.fired if one["request_type"] == "SSE event"]
        assert gaps[0] == 0
        assert 50 <= gaps[1] < 140
        assert 300 <= gaps[2] < 390


@pytest.mark.parametrize("raised", [KeyError, ValueError])
def test_a_fault_of_the_users_own_code_fails_the_stream(raised: Callable[..., Exception]) -> None:
    def judge(_: StreamEvent) -> None:
        raise raised("no choices")

    with serve(b"data: one\n\n", hold=True) as user:
        try:
            user.listen("/", on_event=judge)
        except KeyError:
            assert raised is KeyError
        assert "no choices" in fault(user)


def test_what_the_runs_end_cuts_off_is_in_no_row() -> None:
    with serve(hold=True) as user:
        listener = gevent.spawn(user.listen, "/")
        gevent.sleep(0.1)
        listener.kill()
        assert "SSE" not in [one["request_type"] for one in user.fired]
