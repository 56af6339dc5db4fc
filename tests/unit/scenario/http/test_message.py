"""A head that is known gives what parsing it gives, whatever comes with it."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadgen.scenario.http import message
from loadgen.scenario.http.errors import InvalidResponseError
from loadgen.scenario.http.message import KNOWN_HEADS, KnownHeads, Message

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
HEADS = [
    OK,
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nSet-Cookie: a=b\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"HTTP/1.1 200 OK\nContent-Length: 3\n\n",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n" + OK,
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
]
BODIES = [b"", b"abc", b"ab", b"abcd", b"a\r\n\r\n", b"3\r\nabc\r\n0\r\n\r\n", OK + b"abc"]
ANSWERS = st.tuples(st.sampled_from(HEADS), st.sampled_from(BODIES), st.integers(0, 80))


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    KNOWN_HEADS.known.clear()
    yield
    KNOWN_HEADS.known.clear()


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(answers=st.lists(st.tuples(ANSWERS, st.booleans()), min_size=2, max_size=8))
def test_a_known_head_gives_what_parsing_gives(
    answers: list[tuple[tuple[bytes, bytes, int], bool]],
) -> None:
    KNOWN_HEADS.known.clear()
    learning, parsing = Message(), Message()
    for (head, body, cut), head_only in answers:
        data = head + body
        parts = [data[:cut], data[cut:]] if cut else [data]
        knowing = _state(learning, parts, head_only)
        known = dict(KNOWN_HEADS.known)
        KNOWN_HEADS.known.clear()
        assert knowing == _state(parsing, parts, head_only)
        KNOWN_HEADS.known.clear()
        KNOWN_HEADS.known.update(known)
        if not (learning.complete and learning.reusable):
            learning, parsing = Message(), Message()
        elif head_only:
            learning.forget_parser()
            parsing.forget_parser()


def _state(one: Message, parts: list[bytes], head_only: bool) -> tuple[object, ...]:
    one.begin(head_only)
    fault = ""
    for part in filter(None, parts):
        try:
            one._take(part)
        except (OSError, InvalidResponseError) as error:
            fault = str(error)
            break
    return one.status, one.complete, one.reusable, b"".join(one.body), one.raw, fault


def test_a_repeated_head_is_not_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    one = Message()
    _state(one, [OK + b"abc"], head_only=False)
    monkeypatch.delattr(Message, "_parse")
    assert _state(one, [OK + b"xyz"], head_only=False)[:4] == (200, True, True, b"xyz")
    assert not one.may_set_cookie


def test_heads_that_do_not_repeat_are_not_kept_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = [100.0]
    monkeypatch.setattr(message, "monotonic", lambda: clock[0])
    heads = KnownHeads()
    for number in range(2 * message._MAX_KNOWN + 2):
        heads.learn(
            b"HTTP/1.1 200 OK\r\nX-Number: %d\r\nContent-Length: 0\r\n\r\n" % number, 200, 0
        )
        assert len(heads.known) <= message._MAX_KNOWN
    clock[0] += message._PAUSE_SECONDS / 2
    heads.learn(OK + b"abc", 200, 3)
    paused = len(heads.known)
    clock[0] += message._PAUSE_SECONDS
    heads.learn(OK + b"abc", 200, 3)
    assert (paused, heads.known[OK]) == (0, (200, 3))
