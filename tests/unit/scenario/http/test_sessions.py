"""Cookies, redirects, timeouts and connections, for both clients."""

import socket
import threading
import time
from typing import Any

import gevent
import pytest

from loadgen.scenario.http import Pool, Settings
from tests.unit.scenario.http.awkward import PLAIN, Awkward, awkward_server
from tests.unit.scenario.http.conftest import Client, close, make_client
from tests.unit.scenario.http.differences import by_kind


def _cookies(server: Awkward) -> set[str]:
    sent = server.received[-1].values("cookie")
    return set("; ".join(sent).split("; ")) - {""}


@pytest.mark.parametrize("path", ["/set-cookie", "/set-cookie-hints"])
def test_cookies_come_back_to_their_paths(client: Client, server: Awkward, path: str) -> None:
    client.http.get("/plain")
    assert _cookies(server) == set()
    client.http.get(path)
    client.http.get("/plain")
    assert _cookies(server) == {"a=1"}
    client.http.get("/echo")
    assert _cookies(server) == ({"a=1", "b=2"} if path == "/set-cookie" else {"a=1"})


def test_cookies_expire(client: Client, server: Awkward) -> None:
    client.http.get("/set-cookie")
    client.http.get("/expire-cookie")
    client.http.get("/plain")
    assert _cookies(server) == set()


def test_the_cookie_jar_can_be_used(client: Client, server: Awkward) -> None:
    client.http.get("/set-cookie")
    assert {cookie.name: cookie.value for cookie in client.http.cookiejar} == {"a": "1", "b": "2"}
    client.http.cookiejar.clear()
    client.http.get("/plain")
    assert _cookies(server) == set()


def test_cookies_stay_with_their_host(client: Client, server: Awkward) -> None:
    client.http.get("/set-cookie")
    client.http.get(server.url.replace("127.0.0.1", "localhost") + "/plain")
    assert _cookies(server) == set()


def test_a_cookie_is_taken_out_by_the_same_response(client: Client, server: Awkward) -> None:
    client.http.get("/set-and-expire")
    client.http.get("/plain")
    assert _cookies(server) == by_kind(client.kind, "cookies", {"a=1"}, set())


@pytest.mark.parametrize("path", ["/cookie-of-host", "/cookie-without-domain"])
def test_a_host_may_name_itself(ours: Client, server: Awkward, path: str) -> None:
    ours.http.get(path)
    ours.http.get("/plain")
    assert _cookies(server) == {"a=1"}


def test_localhost_may_name_itself(kind: str, server: Awkward) -> None:
    made = make_client(kind, server.url.replace("127.0.0.1", "LOCALHOST"))
    made.http.get("/cookie-of-localhost")
    made.http.get("/plain")
    close(made)
    assert _cookies(server) == by_kind(kind, "cookies", set(), {"a=1"})


def test_secure_cookies_need_tls(client: Client, server: Awkward) -> None:
    client.http.get("/secure-cookie")
    client.http.get("/plain")
    assert _cookies(server) == set()


def test_a_cookie_header_of_the_request_wins(client: Client, server: Awkward) -> None:
    client.http.get("/set-cookie")
    client.http.get("/plain", headers={"Cookie": "mine=1"})
    assert _cookies(server) == {"mine=1"}


@pytest.mark.parametrize(
    ("code", "method", "then", "body"),
    [
        (301, "POST", "GET", b""),
        (302, "POST", "GET", b""),
        (303, "PUT", "GET", b""),
        (302, "HEAD", "HEAD", b""),
        (307, "POST", "POST", b"data"),
        (308, "PUT", "PUT", b"data"),
    ],
)
def test_redirects_change_the_method_as_the_standard_says(
    client: Client, server: Awkward, code: int, method: str, then: str, body: bytes
) -> None:
    response = client.http.request(method, f"/redirect/{code}/echo?a=1", data="data")
    assert response.status_code == 200
    assert [request.method for request in server.received] == [method, then]
    assert server.received[-1].target == "/echo?a=1"
    assert server.received[-1].body == body
    assert bool(server.received[-1].values("content-type")) == bool(body)
    assert len(client.fired) == 1
    assert client.last["name"] == f"/redirect/{code}/echo?a=1"
    assert client.last["exception"] is None
    assert [earlier.status_code for earlier in response.history] == [code]


def test_redirects_are_followed_only_if_wanted(client: Client, server: Awkward) -> None:
    response = client.http.get("/redirect/302/plain", allow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (302, "/plain")
    assert client.last["exception"] is None
    assert len(server.received) == 1


@pytest.mark.parametrize(("code", "method"), [(301, "PUT"), (302, "DELETE"), (302, "PATCH")])
def test_only_post_becomes_get_at_301_and_302(
    client: Client, server: Awkward, code: int, method: str
) -> None:
    client.http.request(method, f"/redirect/{code}/echo", data="data")
    expected = by_kind(client.kind, "redirected PUT and DELETE", ("GET", b""), (method, b"data"))
    assert (server.received[-1].method, server.received[-1].body) == expected


@pytest.mark.parametrize("path", ["/no-location", "/blank-location"])
def test_a_redirect_to_nowhere_is_the_response(client: Client, server: Awkward, path: str) -> None:
    assert client.http.get(path).status_code == 302
    assert client.last["exception"] is None
    assert len(server.received) == 1


@pytest.mark.parametrize(
    ("path", "target"),
    [("/raw-utf8-location", "/echo?q=gr%C3%BC%C3%9Fe"), ("/raw-latin1-location", "/echo?q=%FC")],
)
def test_the_bytes_of_a_location_are_meant_as_they_are(
    ours: Client, server: Awkward, path: str, target: str
) -> None:
    by_kind("FastUser", "raw bytes in Location", None, None)
    assert ours.http.get(path).status_code == 200
    assert server.received[-1].target == target


@pytest.mark.parametrize(
    "location",
    ["http://[", "http://127.0.0.1:99999/", "http://a:b/", "http://", "http://xn--\u00fc/"],
)
def test_a_malformed_location_is_a_counted_failure(ours: Client, location: str) -> None:
    by_kind("FastUser", "malformed Location", None, None)
    ours.http.get(f"/redirect/302/{location}")
    assert "RedirectError" in repr(ours.last["exception"])
    assert len(ours.fired) == 1


def test_a_request_has_its_own_limit_of_redirects(client: Client) -> None:
    url = "/redirect/302/redirect/302/plain"
    assert client.http.get(url, max_redirects=2).content == b"hello"
    assert client.http.get(url, max_redirects=1).status_code == 0


def test_a_redirect_chain_has_an_end(kind: str, server: Awkward) -> None:
    made = make_client(kind, server.url, max_redirects=2)
    assert made.http.get("/redirect/302/redirect/302/plain").content == b"hello"
    response = made.http.get("/redirect/302/redirect/302/redirect/302/plain")
    assert response.status_code == 0
    assert made.last["exception"] is not None
    close(made)


def test_a_redirect_out_of_http_fails(client: Client) -> None:
    client.http.get("/redirect/302/ftp://127.0.0.1/")
    assert "ftp" in str(client.last["exception"])


def test_authorization_stays_with_its_host(client: Client, server: Awkward) -> None:
    elsewhere = server.url.replace("127.0.0.1", "localhost") + "/echo"
    client.http.get(f"/redirect/302/{elsewhere}", auth=("a", "b"))
    assert server.received[0].values("authorization")
    assert not server.received[1].values("authorization")


def test_a_silent_server_times_out(kind: str, server: Awkward) -> None:
    made = make_client(kind, server.url, network_timeout=0.3)
    started = time.perf_counter()
    response = made.http.get("/silent")
    assert 0.3 <= time.perf_counter() - started < 30
    assert response.status_code == 0
    assert "timed out" in str(made.last["exception"])
    assert made.last["response_time"] >= 300
    close(made)


def test_a_request_has_a_timeout_of_its_own(ours: Client) -> None:
    for timeout in (0.2, (5.0, 0.3)):
        assert ours.http.get("/plain").ok
        ours.http.get("/silent", timeout=timeout)
        assert "timed out" in str(ours.last["exception"])
        assert 200 <= ours.last["response_time"] < 3000


def test_a_host_that_does_not_listen_is_a_failure(client: Client) -> None:
    client.http.get("http://127.0.0.1:1/")
    assert isinstance(client.last["exception"], ConnectionRefusedError)


def test_a_name_that_does_not_resolve_is_a_failure(client: Client) -> None:
    client.http.get("http://no-such-host.invalid/")
    assert type(client.last["exception"]).__name__ == "gaierror"


def test_a_connection_attempt_times_out(ours: Client) -> None:
    listener = gevent.socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    address = listener.getsockname()
    waiting = [gevent.socket.socket() for _ in range(3)]
    for sock in waiting:
        sock.setblocking(False)
        sock.connect_ex(address)
    ours.http.get(f"http://127.0.0.1:{address[1]}/", timeout=(0.3, 5.0))
    assert "127.0.0.1 accepted no connection within 0.3 s" in str(ours.last["exception"])
    for sock in (*waiting, listener):
        sock.close()


def test_ipv6(kind: str) -> None:
    with awkward_server("::1") as server:
        made = make_client(kind, server.url)
        assert made.http.get("/plain").content == b"hello"
        assert server.received[-1].values("host") == [server.url.removeprefix("http://")]
        close(made)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_closed_while_idle_is_replaced(
    client: Client, server: Awkward, method: str
) -> None:
    for _ in range(3):
        assert client.http.request(method, "/closes-unannounced").content == b"hello"
        assert client.last["exception"] is None
        gevent.sleep(0.02)
    assert server.connections == 3


def test_a_connection_closed_while_the_process_was_busy_is_replaced() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=_answer_and_close, args=(listener, 2))
    thread.start()
    made = make_client("FastUser", f"http://127.0.0.1:{listener.getsockname()[1]}")
    for _ in range(2):
        assert made.http.post("/").content == b"hello"
        time.sleep(0.1)  # not gevent's: the event loop does not see the server close
    close(made)
    thread.join(60)
    listener.close()


def _answer_and_close(listener: socket.socket, times: int) -> None:
    for _ in range(times):
        with listener.accept()[0] as sock:
            sock.recv(65536)
            sock.sendall(PLAIN)


def test_a_stale_connection_is_replaced_once_for_a_safe_request(
    ours: Client, server: Awkward
) -> None:
    for _ in range(2):
        assert ours.http.get("/stale-once").content == b"hello"
    assert server.connections == 2
    assert len(server.received) == 3


@pytest.mark.parametrize("times", [2, 3])
def test_a_reset_of_a_kept_connection_is_answered_by_a_new_one(
    ours: Client, server: Awkward, times: int
) -> None:
    for _ in range(times):
        assert ours.http.get("/reset-once").content == b"hello"
        assert ours.last["exception"] is None
    assert server.connections == times
    assert len(server.received) == 2 * times - 1


def test_a_post_that_meets_a_reset_is_not_sent_again(ours: Client, server: Awkward) -> None:
    ours.http.get("/reset-once")
    ours.http.post("/reset-once")
    assert ours.last["exception"] is not None
    assert len(server.received) == 2


def test_a_request_that_may_have_been_executed_is_not_sent_again(
    client: Client, server: Awkward
) -> None:
    client.http.post("/stale-once")
    client.http.post("/stale-once")
    assert client.last["exception"] is not None
    assert len(server.received) == 2


def test_greenlets_of_one_user_each_have_a_connection(client: Client, server: Awkward) -> None:
    jobs = [gevent.spawn(client.http.get, "/drip") for _ in range(25)]
    gevent.joinall(jobs, raise_error=True)
    assert {job.value.content for job in jobs} == {b"hello"}
    assert server.connections == 10


def test_a_killed_greenlet_leaves_a_usable_client(client: Client, server: Awkward) -> None:
    job = gevent.spawn(client.http.get, "/silent")
    while not server.received:
        gevent.sleep(0.01)
    job.kill()
    assert client.fired == []
    assert client.http.get("/plain").content == b"hello"


def test_a_large_body_is_sent_to_a_slow_reader(client: Client, server: Awkward) -> None:
    body = bytes(range(256)) * 40_000
    assert client.http.post("/plain", data=body).ok
    assert server.received[-1].body == body


def test_the_base_url_can_be_changed(client: Client, server: Awkward) -> None:
    with awkward_server() as other:
        client.http.base_url = other.url
        assert client.http.get("/echo").ok
        assert [request.target for request in other.received] == ["/echo"]
        assert other.received[0].values("host") == [other.url.removeprefix("http://")]
    assert client.last["url"] == other.url + "/echo"
    assert client.http.base_url == other.url
    assert server.received == []


def test_the_authorization_can_be_changed(client: Client, server: Awkward) -> None:
    assert client.http.auth_header is None
    client.http.auth_header = "Bearer t1"
    client.http.get("/echo")
    assert server.received[-1].values("authorization") == ["Bearer t1"]
    client.http.auth_header = None
    client.http.get("/echo")
    assert server.received[-1].values("authorization") == []


def test_connections_can_be_closed_as_locusts_manual_has_it(
    client: Client, server: Awkward
) -> None:
    for _ in range(2):
        assert client.http.get("/plain").ok
        client.http.client.clientpool.close()
    assert server.connections == 2


def test_users_can_share_connections(server: Awkward) -> None:
    pool = Pool(Settings(concurrency=1))
    for _ in range(2):
        made = make_client("FastUser", server.url, client_pool=pool)
        assert made.http.get("/plain").ok
    pool.close()
    assert server.connections == 1


def test_an_origin_is_written_as_browsers_do() -> None:
    for host, origin in (
        ("HTTP://LocalHost:80/path", "http://localhost"),
        ("https://u:p@Example.org:443", "https://example.org"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://B\u00fccher.example", "http://xn--bcher-kva.example"),
    ):
        assert make_client("FastUser", host).http.origin == origin


def test_a_user_that_ends_closes_its_connections(server: Awkward) -> None:
    made = make_client("FastUser", server.url)
    assert made.http.get("/plain").ok
    origin: Any = made.http._origin
    idle = list(origin._idle)
    group = gevent.pool.Group()
    type(made.user).tasks = [lambda user: user.client.get("/plain")]
    made.user.start(group)
    gevent.sleep(0.05)
    made.user.stop(force=True)
    group.join(timeout=60)
    gevent.sleep(0)
    assert idle
    assert all(connection.closed for connection in idle)
    assert origin._idle == []
