"""What both clients send."""

import io
import json
import ssl
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from geventhttpclient.client import HTTPClientPool
from hypothesis import given
from hypothesis import strategies as st
from locust.exception import StopTest

from loadgen.scenario.http.errors import ContentError
from loadgen.scenario.http.request import to_json
from tests.unit.scenario.http.awkward import Awkward
from tests.unit.scenario.http.conftest import Client, close, make_client
from tests.unit.scenario.http.differences import by_kind


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
def test_each_verb_sends_its_method(client: Client, server: Awkward, method: str) -> None:
    getattr(client.http, method)("/echo")
    assert server.received[-1].method == method.upper()
    assert client.last["request_type"] == method.upper()
    length = ["0"] if method in {"post", "put", "patch"} else []
    assert server.received[-1].values("content-length") == length


def test_request_takes_any_method(client: Client, server: Awkward) -> None:
    client.http.request("PROPFIND", "/echo")
    assert server.received[-1].method == "PROPFIND"


@pytest.mark.parametrize(
    ("path", "params", "target"),
    [
        ("/echo", None, "/echo"),
        ("/echo?a=1&b=%20", None, "/echo?a=1&b=%20"),
        ("/echo#part", None, "/echo"),
        ("/echo?q=grüße x", None, "/echo?q=gr%C3%BC%C3%9Fe%20x"),
        ("/echo", {"a": 1, "b": "x y", "c": None, "d": [1, 2]}, "/echo?a=1&b=x+y&d=1&d=2"),
        ("/echo?a=1", {"b": 2}, "/echo?a=1&b=2"),
        ("/echo", [("a", 1), ("a", "ü")], "/echo?a=1&a=%C3%BC"),
        ("/echo", "raw=1", "/echo?raw=1"),
        ("/echo", {"q": "a&b=c#d~%/\u00fc"}, "/echo?q=a%26b%3Dc%23d~%25%2F%C3%BC"),
        ("/echo", {}, "/echo"),
    ],
)
def test_the_target_carries_path_and_params(
    client: Client, server: Awkward, path: str, params: Any, target: str
) -> None:
    assert client.http.get(path, params=params).ok
    assert server.received[-1].target == target
    assert client.last["name"] == path


@pytest.mark.parametrize(
    ("arguments", "body", "content_type"),
    [
        ({"data": "grüße"}, "grüße".encode(), "text/plain; charset=utf-8"),
        ({"data": b"\x00\xff"}, b"\x00\xff", "application/octet-stream"),
        (
            {"data": {"a": 1, "b": "x y"}},
            b"a=1&b=x+y",
            "application/x-www-form-urlencoded; charset=utf-8",
        ),
        ({"json": {"a": [1, None, "ü"]}}, b'{"a": [1, null, "\\u00fc"]}', "application/json"),
        ({"json": []}, b"[]", "application/json"),
        ({"data": "a", "headers": {"content-type": "x/y"}}, b"a", "x/y"),
        ({"json": 1, "headers": {"Content-Type": "x/y"}}, b"1", "x/y"),
        ({"data": "both", "json": 1}, b"both", "text/plain; charset=utf-8"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_body_is_sent_with_its_type_and_length(
    client: Client, server: Awkward, method: str, arguments: Any, body: bytes, content_type: str
) -> None:
    assert client.http.request(method, "/echo", **arguments).ok
    received = server.received[-1]
    assert received.body == body
    assert received.values("content-type") == [content_type]
    assert received.values("content-length") == [str(len(body))]


def test_json_asks_for_json(client: Client, server: Awkward) -> None:
    client.http.post("/echo", json={})
    assert server.received[-1].values("accept") == ["application/json"]
    client.http.post("/echo", json={}, headers={"accept": "text/html"})
    assert server.received[-1].values("accept") == ["text/html"]


def test_a_list_in_a_form(client: Client, server: Awkward) -> None:
    client.http.post("/echo", data={"a": [1, 2]})
    expected = by_kind(client.kind, "lists in forms", b"a=%5B1%2C+2%5D", b"a=1&a=2")
    assert server.received[-1].body == expected


def test_a_file_is_sent_whole(client: Client, server: Awkward) -> None:
    by_kind(client.kind, "files and iterables as bodies", None, None)
    client.http.post("/echo", data=io.BytesIO(b"content"))
    assert server.received[-1].body == b"content"


def test_a_body_in_chunks_when_asked_for(client: Client, server: Awkward) -> None:
    client.http.post("/echo", data=b"content", headers={"Transfer-Encoding": "chunked"})
    assert server.received[-1].body == b"content"
    assert server.received[-1].values("content-length") == []


def test_files_make_a_multipart_form(client: Client, server: Awkward) -> None:
    files = {"f": ("name.txt", io.BytesIO(b"content"), "text/plain")}
    assert client.http.post("/echo", data={"a": "1"}, files=files).ok
    received = server.received[-1]
    assert received.values("content-type")[0].startswith("multipart/form-data; boundary=")
    assert b'name="a"\r\n' in received.body
    assert b'name="f"; filename="name.txt"\r\nContent-Type: text/plain\r\n' in received.body


def test_default_headers_give_way_to_a_requests_own(kind: str, server: Awkward) -> None:
    made = make_client(kind, server.url, default_headers={"X-A": "1", "User-Agent": "me"})
    made.http.get("/echo", headers={"x-a": "2", "Accept-Encoding": "identity", "X-N": 5})
    close(made)
    received = server.received[-1]
    assert received.values("x-a") == ["2"]
    assert received.values("user-agent") == ["me"]
    assert received.values("accept-encoding") == ["identity"]
    assert received.values("x-n") == ["5"]
    assert received.values("host") == [server.url.removeprefix("http://")]


def test_what_is_decoded_is_asked_for(client: Client, server: Awkward) -> None:
    client.http.get("/echo")
    assert server.received[-1].values("accept-encoding") == ["gzip, deflate, br"]


@pytest.mark.parametrize(
    "headers", [{"X-A": "1\r\nX-Smuggled: 2"}, {"X A": "1"}, {"X-A\r\n": "1"}, {"X-A": "€"}]
)
def test_a_header_that_would_break_the_request_is_refused(
    client: Client, server: Awkward, headers: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="X"):
        client.http.get("/echo", headers=headers)
    assert server.received == []


def test_a_path_cannot_smuggle_a_header(client: Client, server: Awkward) -> None:
    client.http.get("/echo?a=1 HTTP/1.1\r\nX-Smuggled: 1\r\n\r\n")
    assert all(request.values("x-smuggled") == [] for request in server.received)


def _basic(user: str, password: str) -> list[str]:
    return ["Basic " + b64encode(f"{user}:{password}".encode()).decode()]


def test_basic_auth_from_the_request_and_from_the_host(kind: str, server: Awkward) -> None:
    made = make_client(kind, server.url.replace("http://", "http://u:p%40x@"))
    made.http.get("/echo")
    assert server.received[-1].values("authorization") == _basic("u", "p@x")
    made.http.get("/echo", auth=("a", "b"))
    assert server.received[-1].values("authorization") == _basic("a", "b")
    assert made.last["url"] == server.url + "/echo"
    close(made)


def test_credentials_in_the_host_stay_with_it(kind: str, server: Awkward) -> None:
    made = make_client(kind, server.url.replace("http://", "http://u:p@"))
    made.http.get(server.url.replace("127.0.0.1", "localhost") + "/echo")
    close(made)
    leaked = bool(server.received[-1].values("authorization"))
    assert leaked == by_kind(kind, "user and password in `host`", True, False)


def test_a_host_with_a_path_comes_before_every_path(kind: str, server: Awkward) -> None:
    made = make_client(kind, server.url + "/echo")
    made.http.get("/x?y=1")
    close(made)
    assert server.received[-1].target == "/echo/x?y=1"


def test_a_request_can_be_looked_at(client: Client) -> None:
    response = client.http.post("/echo", data="x", headers={"X-A": "1"})
    assert response.request.method == "POST"
    assert response.request.url == response.url == client.last["url"]
    assert response.request.headers["X-A"] == response.request.headers["x-a"] == "1"
    by_kind("FastUser", "`request.body`", None, None)


def test_the_timeout_argument(client: Client, server: Awkward) -> None:
    client.http.get("/echo", timeout=1.5)
    expected = by_kind(client.kind, "`timeout` argument", "/echo?timeout=1.5", "/echo")
    assert server.received[-1].target == expected


@pytest.mark.parametrize(
    "attributes",
    [
        {"proxy_host": "proxy"},
        {"proxy_port": 3128},
        {"max_retries": 2},
        {"client_pool": HTTPClientPool()},
        {"client_certificate": "/no/such.pem"},
        {"client_certificate": "c.pem", "ssl_context_factory": ssl.create_default_context},
    ],
)
def test_what_is_not_supported_is_refused(attributes: dict[str, Any]) -> None:
    by_kind("FastUser", "retries", None, None)
    by_kind("FastUser", "geventhttpclient's pools", None, None)
    with pytest.raises(StopTest, match=next(iter(attributes))):
        make_client("FastUser", "http://127.0.0.1:1", **attributes)


def test_a_retry_of_one_request_is_refused_too(ours: Client) -> None:
    with pytest.raises(ValueError, match="max_retries"):
        ours.http.get("/plain", max_retries=2)
    assert ours.http.get("/plain", max_retries=0).ok


@pytest.mark.parametrize(
    ("files", "data", "lines"),
    [
        ({"f": ("a", b"c")}, {"t": ["x", "y"]}, ['name="t"', "x", 'name="t"', "y"]),
        ({"f": ("a", b"c")}, {"t": b"v"}, ['name="t"', "v"]),
        ({"f": ("a", b"c", "text/csv", {"X-Part": "1"})}, None, ["text/csv", "X-Part: 1"]),
        ({"f": (None, "value")}, None, ['name="f"', "value"]),
        ([("f", ("a", b"1")), ("f", ("b", b"2"))], [("t", 5)], ['name="t"', "5", '"a"', '"b"']),
    ],
)
def test_multipart_forms_are_those_of_requests(
    client: Client, server: Awkward, files: Any, data: Any, lines: list[str]
) -> None:
    client.http.post("/echo", files=files, data=data)
    body = server.received[-1].body.decode()
    positions = [body.find(line) for line in lines]
    assert -1 not in positions
    assert "['x" not in body
    assert "b'v'" not in body
    assert body.count("octet-stream") == 0


def test_an_open_file_goes_by_its_name_alone(
    client: Client, server: Awkward, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"JPG")
    with photo.open("rb") as file:
        client.http.post("/echo", files={"f": file})
    assert b'filename="photo.jpg"' in server.received[-1].body


def test_a_name_in_another_script_is_sent_in_punycode() -> None:
    made = make_client("FastUser", "http://B\u00fccher.example:8080")
    by_kind("FastUser", "host names in other scripts", None, None)
    assert made.http._origin.host_line == "Host: xn--bcher-kva.example:8080\r\n"


def test_a_proxy_gets_every_request(kind: str, server: Awkward) -> None:
    host, port = server.url.removeprefix("http://").split(":")
    made = make_client(kind, "http://web.example", proxy_host=host, proxy_port=int(port))
    assert made.http.get("http://web.example/plain").ok
    close(made)
    assert server.received[-1].target.endswith("/plain")
    assert server.received[-1].values("host") == ["web.example"]


def test_a_user_needs_a_host(kind: str) -> None:
    with pytest.raises(StopTest, match="host"):
        make_client(kind, None)  # type: ignore[arg-type]


def test_content_error_is_one_that_locust_counts() -> None:
    assert issubclass(ContentError, Exception)


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    )
)
def test_json_is_written_as_the_library_writes_it(value: Any) -> None:
    assert to_json(value) == json.dumps(value).encode()


def test_what_is_no_json_is_refused_as_the_library_does() -> None:
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ValueError, match="Circular"):
        to_json(circle)
    with pytest.raises(TypeError, match="set is not JSON serializable"):
        to_json({"a": {1}})
    assert to_json([circle[:0]]) == b"[[]]"
