"""WebSockets against servers of every kind: what is counted, under which name, and for how long."""

import gc
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import gevent.event
import pytest
from locust.env import Environment

from loadgen.node.statistics.users_left import waits_for_answer
from loadgen.scenario import websocket_wire
from loadgen.scenario.websockets import WebSocketFault, WebSocketUser
from tests.unit.scenario.socket_server import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    Peer,
    be_deaf,
    echo,
    frame,
    serve,
    stay,
)

Row = tuple[str, str]
"""What a request was, and what was wrong with it."""


class Watch:
    """A user with the request events that it fired."""

    def __init__(self, host: str, **settings: object) -> None:
        self.fired: list[dict[str, Any]] = []
        environment = Environment()
        environment.events.request.add_listener(lambda **meta: self.fired.append(meta))
        kind: Any = type("Own", (WebSocketUser,), {"host": host, "tasks": [], **settings})
        self.user: WebSocketUser = kind(environment)

    @property
    def rows(self) -> list[Row]:
        return [(one["request_type"], str(one["exception"] or "")) for one in self.fired]


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    with gevent.Timeout(20):
        yield


def heard(script: Callable[[Peer], object]) -> tuple[object, list[Row]]:
    """Return the first message that a user receives of a server, and the rows."""
    with serve(script) as (host, _):
        watch = Watch(host)
        message: object = None
        try:
            with watch.user.connect("/talk") as channel:
                message = channel.receive(seconds=0.5)
        except WebSocketFault:
            pass
        return message, watch.rows


def in_fragments(peer: Peer) -> None:
    peer.frame(TEXT, "ü".encode()[:1], last=False)
    peer.frame(PING, b"between")
    peer.frame(0, b"", last=False)
    peer.frame(0, "ü".encode()[1:] + b"ber", last=True)
    stay(peer)


def byte_by_byte(peer: Peer) -> None:
    for one in frame(TEXT, b"slow"):
        peer.raw(bytes([one]))
        gevent.sleep(0.001)
    stay(peer)


def test_a_message_in_fragments_is_one_message() -> None:
    for script, said in ((in_fragments, "über"), (byte_by_byte, "slow")):
        assert heard(script) == (said, [("WS connect", ""), ("WS receive", "")])


def test_a_message_may_be_binary_empty_or_come_with_the_handshake() -> None:
    for opcode, content, said in ((BINARY, b"\x00\xff", b"\x00\xff"), (TEXT, b"", "")):

        def script(peer: Peer, opcode: int = opcode, content: bytes = content) -> None:
            peer.frame(opcode, content)
            stay(peer)

        assert heard(script) == (said, [("WS connect", ""), ("WS receive", "")])
    with serve(stay, lambda peer: (peer.accept(), peer.frame(TEXT, b"at once"))) as (host, _):
        channel = Watch(host).user.connect("/")
        assert channel.receive() == "at once"
        channel.close()


@pytest.mark.parametrize(
    ("code", "reason", "said"),
    [
        (1000, b"", "the server closed the WebSocket with code 1000"),
        (1001, b"going", "the server closed the WebSocket with code 1001: going"),
        (1008, b"policy", "the server closed the WebSocket with code 1008: policy"),
        (1011, "Fehler ü ☃".encode(), "the server closed the WebSocket with code 1011: Fehler ü ☃"),
        (4000, b"own", "the server closed the WebSocket with code 4000: own"),
        (4999, b"", "the server closed the WebSocket with code 4999"),
        (1011, b"\xff\xfe", "the server broke the protocol: Error decoding CLOSE reason: "),
        (1006, b"", "the server broke the protocol: remote CLOSE with local-only reason"),
        (2999, b"", "the server broke the protocol: CLOSE with unknown reserved code"),
    ],
)
def test_a_close_instead_of_a_message_is_a_failure_with_its_code(
    code: int, reason: bytes, said: str
) -> None:
    message, rows = heard(lambda peer: (peer.close(code, reason), peer.hear()))
    assert message is None
    (connected, (kind, why)) = rows
    assert connected == ("WS connect", "")
    assert kind == "WS receive"
    assert why.startswith(said)


BROKEN: dict[str, tuple[Callable[[Peer], object], str]] = {
    "no goodbye": (
        lambda peer: peer.sock.close(),
        "the WebSocket's connection ended without a close frame: the server closed it",
    ),
    "no goodbye within a message": (
        lambda peer: peer.frame(TEXT, b"half", last=False),
        "the WebSocket's connection ended without a close frame: in the middle of a message",
    ),
    "a goodbye within a message": (
        lambda peer: (peer.frame(TEXT, b"half", last=False), peer.close(1011), peer.hear()),
        "the server closed the WebSocket with code 1011",
    ),
    "a goodbye without a code": (
        lambda peer: (peer.frame(CLOSE), peer.hear()),
        "the server closed the WebSocket without a code",
    ),
    "compressed, unasked": (
        lambda peer: (peer.frame(TEXT, b"\x00", rsv=4), peer.hear()),
        "the server broke the protocol: Reserved bit set unexpectedly",
    ),
    "an unknown opcode": (
        lambda peer: (peer.frame(7, b""), peer.hear()),
        "the server broke the protocol: Invalid opcode 0x7",
    ),
    "no UTF-8": (
        lambda peer: (peer.frame(TEXT, b"\xff"), peer.hear()),
        "the server broke the protocol: 'utf-8' codec can't decode byte 0xff",
    ),
    "a continuation of nothing": (
        lambda peer: (peer.frame(0, b"x"), peer.hear()),
        "the server broke the protocol: unexpected CONTINUATION",
    ),
    "no end": (
        lambda peer: [peer.frame(BINARY if not n else 0, b"x" * 99, last=False) for n in range(99)],
        "a message has more than 9,000 bytes",
    ),
    "a length that no memory holds": (
        lambda peer: (peer.raw(b"\x82\x7f" + b"\x7f" * 8 + b"x" * 9900), peer.hear()),
        "a message has more than 9,000 bytes",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_server_that_breaks_off_is_a_failure_that_says_how(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket_wire, "LARGEST_MESSAGE_BYTES", 9_000, raising=False)
    script, said = BROKEN[case]
    message, rows = heard(script)
    assert message is None
    assert rows[0] == ("WS connect", "")
    assert rows[1][0] == "WS receive"
    assert rows[1][1].startswith(said)


REFUSALS = {
    f"HTTP/1.1 {status}\r\nContent-Length: 2\r\nLocation: /login\r\n\r\nno": (
        f"the answer has status {status[:3]} instead of 101"
    )
    for status in ("401 Unauthorized", "403 Forbidden", "302 Found", "500 Oh", "200 OK", "404 N")
} | {
    "HTTP/1.1 503 Unavailable\r\nTransfer-Encoding: chunked\r\n\r\n": (
        "the answer has status 503 instead of 101"
    ),
    "SSH-2.0-OpenSSH\r\n\r\n": "the server's WebSocket handshake is invalid: Bad HTTP message",
    "HTTP/1.1 101 Now\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n": (
        "the server's WebSocket handshake is invalid: Bad accept token"
    ),
    "HTTP/1.1 101 Now\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n": (
        "the server's WebSocket handshake is invalid: Missing header, 'Upgrade: websocket'"
    ),
    "": "the server closed the connection without an answer",
}


@pytest.mark.parametrize("answer", REFUSALS)
def test_a_handshake_that_is_refused_says_the_status(answer: str) -> None:
    with serve(lambda _: None, lambda peer: peer.raw(answer.encode())) as (host, peers):
        watch = Watch(host)
        with pytest.raises(WebSocketFault):
            watch.user.connect("/talk")
        assert watch.rows == [("WS connect", REFUSALS[answer])]
        assert len(peers) == 1, "a redirect is not followed, as in browsers"


def test_a_handshake_that_never_ends_is_given_up() -> None:
    def trickle(peer: Peer) -> None:
        for one in b"HTTP/1.1 101 Switching" + b"g" * 1000:
            peer.raw(bytes([one]))
            gevent.sleep(0.02)

    with serve(stay, trickle) as (host, _):
        watch = Watch(host, connection_timeout=0.2)
        began = time.monotonic()
        with pytest.raises(WebSocketFault):
            watch.user.connect("/talk")
        assert time.monotonic() - began < 5
        assert watch.rows == [
            ("WS connect", "timed out: the WebSocket could not be opened within 0.2 s")
        ]


@pytest.mark.parametrize(
    ("line", "chosen", "said"),
    [
        ("Sec-WebSocket-Protocol: v2.chat", "v2.chat", ""),
        ("X-Other: 1", None, "the server chose none of the subprotocols v1.chat, v2.chat"),
        (
            "Sec-WebSocket-Protocol: mqtt",
            None,
            "the server's WebSocket handshake is invalid: unrecognized subprotocol mqtt",
        ),
    ],
)
def test_a_subprotocol_has_to_be_chosen(line: str, chosen: str | None, said: str) -> None:
    with serve(stay, lambda peer: peer.accept(line)) as (host, peers):
        watch = Watch(host)
        try:
            with watch.user.connect("/talk", subprotocols=("v1.chat", "v2.chat")) as channel:
                assert channel.subprotocol == chosen
        except WebSocketFault:
            assert chosen is None
        assert watch.rows == [("WS connect", said)]
        assert peers[0].header("sec-websocket-protocol") == "v1.chat, v2.chat"


def test_a_handshake_is_sent_as_a_page_of_the_site_would() -> None:
    with serve(stay) as (host, peers):
        watch = Watch(host.replace("//", "//ann:s%40fe@") + "/base/")
        watch.user.connect("/t%C3%A4g?q=ü b", headers={"Cookie": "a=b"}).close()
        assert peers[0].head.splitlines()[0] == "GET /base/t%C3%A4g?q=%C3%BC%20b HTTP/1.1"
        assert peers[0].header("origin") == host
        assert peers[0].header("cookie") == "a=b"
        assert peers[0].header("authorization") == "Basic YW5uOnNAZmU="
        assert peers[0].header("sec-websocket-extensions") == ""


def test_what_can_not_be_sent_is_counted_as_failed() -> None:
    with serve(stay) as (host, _):
        watch = Watch(host)
        with pytest.raises(ValueError, match="the header 'x-odd' has"):
            watch.user.connect("/talk", headers={"X-Odd": "a\nb"})
        with watch.user.connect("/talk") as channel, pytest.raises(UnicodeEncodeError):
            channel.send("\ud800")
        assert [(kind, bool(why)) for kind, why in watch.rows] == [
            ("WS connect", True),
            ("WS connect", False),
            ("WS send", True),
        ]


def test_a_cookie_of_one_user_is_not_sent_by_another() -> None:
    line = "Set-Cookie: session=of-ann; Domain=127.0.0.1"
    with serve(stay, lambda peer: peer.accept(line)) as (host, peers):
        for _ in range(2):
            Watch(host).user.connect("/talk").close()
        assert [peer.header("cookie") for peer in peers] == ["", ""]


def test_pings_are_answered_while_the_user_thinks() -> None:
    answered: list[float] = []

    def ask(peer: Peer) -> None:
        for number in range(3):
            began = time.monotonic()
            peer.frame(PING, b"%d" % number)
            assert peer.hear() == (PONG, b"%d" % number)
            answered.append(time.monotonic() - began)
        peer.frame(TEXT, b"well done")
        stay(peer)

    with serve(ask) as (host, _):
        watch = Watch(host)
        with watch.user.connect("/talk") as channel:
            gevent.sleep(0.3)  # the user's think time
            assert len(answered) == 3
            assert channel.receive() == "well done"
        assert watch.fired[-1]["response_time"] < 100, "the message had come long before"


def test_a_server_that_only_pings_sends_no_message() -> None:
    def ping(peer: Peer) -> None:
        while True:
            peer.frame(PING)
            gevent.sleep(0.01)

    began = time.monotonic()
    message, rows = heard(ping)
    assert message is None
    assert rows == [
        ("WS connect", ""),
        ("WS receive", "timed out: the server did not send a whole message in time"),
    ]
    assert 0.5 <= time.monotonic() - began < 5


def test_a_server_that_trickles_or_floods_is_given_up_in_time() -> None:
    def trickle(peer: Peer) -> None:
        for one in frame(TEXT, b"x" * 1000):
            peer.raw(bytes([one]))
            gevent.sleep(0.02)

    def flood(peer: Peer) -> None:
        while True:
            peer.raw(frame(TEXT, b"other") * 1000)

    for script in (trickle, flood):
        with serve(script) as (host, _):
            watch = Watch(host)
            with watch.user.connect("/talk") as channel, pytest.raises(WebSocketFault):
                channel.ask("mine", is_answer="mine".__eq__, seconds=0.3)
            assert watch.rows[-1][0] == "WS ask"
            assert watch.rows[-1][1].startswith("timed out")
            assert 300 <= watch.fired[-1]["response_time"] < 5000


def test_the_time_of_an_answer_is_the_servers_own() -> None:
    def answer(peer: Peer) -> None:
        peer.frame(TEXT, b"welcome")
        peer.hear()
        gevent.sleep(0.2)
        peer.frame(TEXT, b"answer")
        stay(peer)

    with serve(answer) as (host, _):
        watch = Watch(host)
        with watch.user.connect("/talk") as channel:
            gevent.sleep(0.05)
            assert channel.ask("question") == "answer", "what came before is no answer"
        assert 200 <= watch.fired[-1]["response_time"] < 2000
        assert watch.fired[-1]["response_length"] == len("answer")


def test_sizes_are_bytes() -> None:
    with echo(compress=False) as host:
        watch = Watch(host)
        with watch.user.connect("/") as channel:
            assert channel.ask("ü☃") == "ü☃"
            channel.send("ü☃")
            assert channel.receive() == "ü☃"
        assert [one["response_length"] for one in watch.fired] == [0, 5, 5, 5]


@pytest.mark.parametrize("compress", [False, True])
def test_large_messages_go_and_come_whole(compress: bool) -> None:
    large = "0123456789abcdef" * 500_000
    with echo(compress=True) as host:
        watch = Watch(host, compress=compress)
        with watch.user.connect("/") as channel:
            assert channel.ask(large) == large
            assert channel.ask(large[:70_000].encode()) == large[:70_000].encode()
        assert watch.rows == [("WS connect", ""), ("WS ask", ""), ("WS ask", "")]
        assert watch.fired[1]["response_length"] == len(large)


def test_a_stalled_send_is_given_up() -> None:
    with serve(be_deaf) as (host, _):
        watch = Watch(host)
        with watch.user.connect("/") as channel:
            assert channel.hear(0.001) is None
            with pytest.raises(WebSocketFault):
                channel.send(b"x" * 20_000_000, seconds=0.3)
            with pytest.raises(WebSocketFault):
                channel.send("after half a frame nothing can be sent")
        said = "timed out: the message could not be sent within 0.3 s"
        assert watch.rows[1:] == [("WS send", said)] * 2


def test_a_send_has_its_own_patience_after_a_short_wait() -> None:
    def slow(peer: Peer) -> None:
        gevent.sleep(0.2)
        peer.hear()
        stay(peer)

    with serve(slow) as (host, _):
        watch = Watch(host)
        with watch.user.connect("/") as channel:
            assert channel.hear(0.001) is None
            channel.send(b"x" * 8_000_000)
        assert watch.rows[-1] == ("WS send", "")


def test_what_is_cut_off_at_the_end_is_in_no_row() -> None:
    with serve(stay) as (host, peers):
        watch = Watch(host)

        def visit() -> None:
            with watch.user.connect("/") as channel:
                channel.ask("anybody?")

        visitor = gevent.spawn(visit)
        while not watch.fired:
            gevent.sleep(0.01)
        gevent.sleep(0.05)
        assert waits_for_answer(visitor), "the summary says how many waited"
        visitor.kill()
        assert watch.rows == [("WS connect", "")]
        assert visitor.dead
        assert len(peers) == 1


def test_a_fault_of_the_users_own_judgement_is_a_failure() -> None:
    with echo(compress=False) as host:
        watch = Watch(host)
        with watch.user.connect("/") as channel, pytest.raises(ZeroDivisionError):
            channel.ask("hello", is_answer=lambda _: 1 // 0 > 0)
        assert watch.rows[-1] == ("WS ask", "integer division or modulo by zero")


def test_a_goodbye_ends_hearing_without_a_failure_unless_it_complains() -> None:
    def prices(peer: Peer) -> None:
        peer.frame(TEXT, b"1")
        peer.frame(TEXT, b"2")
        peer.close(int(peer.head.split()[1].strip("/")))
        assert peer.hear()[0] == CLOSE

    with serve(prices) as (host, _):
        watch = Watch(host)
        for code in ("1000", "1001", "1011"):
            with watch.user.connect(code) as channel:
                assert [channel.hear(1), channel.hear(1)] == ["1", "2"]
                if code == "1011":
                    with pytest.raises(WebSocketFault) as caught:
                        channel.hear(1)
                    assert caught.value.code == 1011
                else:
                    assert channel.hear(1) is None
                assert channel.closed
        assert Counter(watch.rows) == {
            ("WS connect", ""): 3,
            ("WS receive", ""): 6,
            ("WS receive", "the server closed the WebSocket with code 1011"): 1,
        }


def test_a_client_says_goodbye_and_one_that_nobody_has_is_closed() -> None:
    gone = gevent.event.Event()

    def listen(peer: Peer) -> None:
        try:
            while peer.hear()[0] != CLOSE:
                pass
            peer.close(1000)
        finally:
            gone.set()

    with serve(listen) as (host, peers):
        user = Watch(host).user
        user.connect("/").close()
        assert gone.wait(5)
        assert peers[0].heard == [(CLOSE, b"\x03\xe8")]
        gone.clear()
        channel = user.connect("/")
        gevent.sleep(0.01)
        del channel
        gc.collect()
        assert gone.wait(5), "nobody has it any more"


def test_closing_waits_a_second_at_most() -> None:
    with serve(be_deaf) as (host, _):
        channel = Watch(host).user.connect("/")
        began = time.monotonic()
        channel.close()
        assert time.monotonic() - began < 4
