"""What both clients make of responses, good and bad."""

import gc
import gzip
import json

import pytest

from loadgen.scenario.http import content
from tests.unit.scenario.http.awkward import BIG, TEXT, Awkward
from tests.unit.scenario.http.conftest import Client
from tests.unit.scenario.http.differences import by_kind

CONNECTION_KEPT = 1
CONNECTION_NOT_KEPT = 2


@pytest.mark.parametrize(
    ("path", "connections"),
    [
        ("/plain", CONNECTION_KEPT),
        ("/chunked", CONNECTION_KEPT),
        ("/trailers", CONNECTION_KEPT),
        ("/early-hints", CONNECTION_KEPT),
        ("/processing", CONNECTION_KEPT),
        ("/no-reason", CONNECTION_KEPT),
        ("/odd-case", CONNECTION_KEPT),
        ("/drip", CONNECTION_KEPT),
        ("/big-header", CONNECTION_KEPT),
        ("/http10-keep", CONNECTION_KEPT),
        ("/until-close", CONNECTION_NOT_KEPT),
        ("/http10", CONNECTION_NOT_KEPT),
        ("/close", CONNECTION_NOT_KEPT),
        ("/closes-unannounced", CONNECTION_NOT_KEPT),
    ],
)
def test_a_whole_response_succeeds_and_its_connection_is_kept_if_it_may_be(
    client: Client, server: Awkward, path: str, connections: int
) -> None:
    for _ in range(2):
        response = client.http.get(path)
        assert (response.status_code, response.content) == (200, b"hello")
        assert client.last["exception"] is None
        assert client.last["response_length"] == 5
    assert server.connections == connections


@pytest.mark.parametrize(
    ("path", "status"), [("/204", 204), ("/204-with-length", 204), ("/304", 304)]
)
def test_a_status_without_body_has_none_whatever_its_header_says(
    client: Client, server: Awkward, path: str, status: int
) -> None:
    for _ in range(2):
        response = client.http.get(path)
        assert (response.status_code, response.content) == (status, b"")
        assert client.last["exception"] is None
    assert server.connections == CONNECTION_KEPT


def test_head_has_no_body_and_keeps_its_connection(client: Client, server: Awkward) -> None:
    for path in ("/plain", "/chunked", "/big", "/plain"):
        response = client.http.head(path)
        assert (response.status_code, response.content) == (200, b"")
    assert client.http.get("/plain").content == b"hello"
    assert server.connections == CONNECTION_KEPT


@pytest.mark.parametrize(
    "path",
    [
        "/no-answer",
        "/reset",
        "/truncated-head",
        "/bad-chunk",
        "/not-http",
        "/bad-status",
        "/bad-length",
        "/two-lengths",
        "/unequal-lengths-in-one",
    ],
)
def test_no_response_is_a_failure_without_status(client: Client, path: str) -> None:
    response = client.http.get(path)
    assert (response.status_code, response.content, response.text) == (0, None, None)
    assert response.headers is None
    assert client.last["exception"] is response.error is not None
    assert client.last["response_length"] == 0
    assert client.last["response_time"] >= 0
    with pytest.raises(type(response.error)):
        response.raise_for_status()
    assert client.http.get("/plain").content == b"hello"


@pytest.mark.parametrize("path", ["/truncated", "/truncated-chunk", "/no-last-chunk"])
def test_a_body_that_is_cut_off_is_a_failure(client: Client, path: str) -> None:
    response = client.http.get(path)
    assert client.last["exception"] is not None
    expected = by_kind(client.kind, "body that ends too soon", 200, 0)
    assert response.status_code == expected


def test_a_redirect_whose_body_is_cut_off_is_no_answer_either(client: Client) -> None:
    response = client.http.get("/cut-off-redirect")
    assert response.status_code == by_kind(client.kind, "redirect whose body ends too soon", 200, 0)


def test_a_server_that_never_answers_is_not_pestered(client: Client, server: Awkward) -> None:
    client.http.get("/no-answer")
    assert server.connections == by_kind(client.kind, "connection closed without a response", 12, 1)


@pytest.mark.parametrize("path", ["/garbage-after", "/answers-twice", "/answers-late"])
def test_what_was_not_asked_for_never_becomes_a_response(client: Client, path: str) -> None:
    seen = []
    for _ in range(3):
        response = client.http.get(path)
        seen.append((response.status_code, response.content))
    clean = seen == [(200, b"hello")] * 3
    assert clean == by_kind(client.kind, "bytes after the response", False, True)


def test_switching_protocols_is_a_failure(client: Client) -> None:
    response = client.http.get("/upgrade")
    assert client.last["exception"] is not None
    assert response.status_code == by_kind(client.kind, "status 101 (switching protocols)", 0, 101)


def test_an_endless_header_is_refused(ours: Client) -> None:
    by_kind("FastUser", "header without an end", None, None)
    assert ours.http.get("/endless-header").status_code == 0
    assert "header is larger than" in str(ours.last["exception"])


@pytest.mark.parametrize("status", [400, 404, 418, 299, 500, 503, 599])
def test_a_bad_status_is_a_failure_with_the_same_error_text(client: Client, status: int) -> None:
    response = client.http.get(f"/status/{status}")
    assert response.status_code == status
    assert response.ok == (status < 400)
    assert repr(client.last["exception"]) == f"LocustBadStatusCode(code={status})"
    assert client.http.get("/plain").ok


@pytest.mark.parametrize("path", ["/gzip", "/x-gzip-upper", "/deflate", "/raw-deflate", "/br"])
def test_a_coded_body_is_decoded(client: Client, path: str) -> None:
    response = client.http.get(path)
    assert response.text == TEXT
    decoded = len(TEXT.encode())
    expected = by_kind(
        client.kind,
        "size of an encoded body",
        decoded,
        len(response.body or b"") if client.ours else 0,
    )
    assert client.last["response_length"] == expected
    assert client.last["exception"] is None


@pytest.mark.parametrize("path", ["/zstd", "/gzip-in-br"])
def test_zstd_and_stacked_codings(client: Client, path: str) -> None:
    if by_kind(client.kind, "zstd and stacked codings", "raises", "decodes") == "decodes":
        assert client.http.get(path).text == TEXT
    else:
        with pytest.raises(ValueError, match="Unknown content encoding"):
            client.http.get(path)


@pytest.mark.parametrize(
    "path",
    [
        "/folded",
        "/bare-lf",
        "/blank-before-extension",
        "/blanks-in-extension",
        "/blanks-in-extension-in-pieces",
        "/bare-lf-in-chunks",
        "/equal-lengths",
        "/equal-lengths-in-pieces",
        "/length-and-chunked",
        "/identity",
        "/blank-before-colon",
        "/control-character",
    ],
)
def test_what_a_recipient_takes_succeeds_and_keeps_the_connection(
    client: Client, server: Awkward, path: str
) -> None:
    for _ in range(2):
        status = client.http.get(path).status_code
        assert status == by_kind(client.kind, "odd line ends and lengths", 0, 200)
    if client.ours:
        assert client.http.get(path).content == b"hello"
        assert server.connections == CONNECTION_KEPT


def test_folded_and_equal_fields_are_looked_up_as_others(ours: Client) -> None:
    assert ours.http.get("/folded").headers["x-folded"] == "a b"
    assert ours.http.get("/equal-lengths").headers.getlist("x-a") == ["1", "1"]
    assert ours.http.get("/equal-lengths").headers["content-length"] == "5"
    assert ours.http.get("/bare-lf").headers["x-a"] == "1"


@pytest.mark.parametrize(
    "path", ["/gzip-then-zeros", "/gzip-then-bytes", "/deflate-then-bytes", "/zstd-then-bytes"]
)
def test_bytes_after_a_coded_body_are_ignored(ours: Client, path: str) -> None:
    assert ours.http.get(path).text == TEXT
    pieces = ours.http.get(path, stream=True).iter_content(decode_content=False)
    assert b"".join(pieces) == TEXT.encode()


def test_bytes_after_a_brotli_body_are_ignored(ours: Client) -> None:
    assert ours.http.get("/br-then-bytes").text == TEXT


def test_all_frames_of_a_zstd_body_count(ours: Client) -> None:
    assert ours.http.get("/zstd-frames").text == TEXT * 2


def test_all_members_of_a_gzip_body_count(client: Client) -> None:
    expected = by_kind(client.kind, "several gzip members", TEXT, TEXT * 2)
    assert client.http.get("/gzip-members").text == expected


def test_an_empty_coded_body_is_empty(client: Client) -> None:
    response = client.http.get("/empty-gzip")
    failed = client.last["exception"] is not None
    assert failed == by_kind(client.kind, "empty body with a coding", True, False)
    assert failed or response.content == b""


@pytest.mark.parametrize(
    ("path", "difference"),
    [
        ("/not-gzip", "a body that can't be decoded"),
        ("/short-gzip", "a body that can't be decoded"),
        ("/unknown-coding", "unknown coding"),
    ],
)
def test_a_body_that_does_not_decode_fails_the_request_that_looks_at_it(
    ours: Client, path: str, difference: str
) -> None:
    by_kind("FastUser", difference, None, None)
    with ours.http.get(path, catch_response=True) as response:
        assert response.text
    assert "ContentError" in repr(ours.last["exception"])


def test_a_broken_coding_fails_both_clients(client: Client) -> None:
    with client.http.get("/not-gzip", catch_response=True) as response:
        if client.ours:
            assert response.content
    assert client.last["exception"] is not None


@pytest.mark.parametrize(
    ("path", "text"), [("/latin1", "grüße"), ("/json", '{"a": ["ü"]}'), ("/empty", "")]
)
def test_text_follows_the_charset(client: Client, path: str, text: str) -> None:
    assert client.http.get(path).text == text


@pytest.mark.parametrize("path", ["/unknown-charset", "/no-charset", "/undefined-charset"])
def test_a_charset_that_is_none_counts_as_utf8(ours: Client, path: str) -> None:
    by_kind("FastUser", "unknown charset", None, None)
    assert ours.http.get(path).text == "h\u00e9llo"


@pytest.mark.parametrize("path", ["/quoted-charset", "/two-types"])
def test_the_last_charset_counts_however_it_is_written(ours: Client, path: str) -> None:
    by_kind("FastUser", "several Content-Types", None, None)
    assert ours.http.get(path).text == "h\u00e9llo"
    lines = ours.http.iter_lines(path)
    assert list(lines) == ["h\u00e9llo"]


def test_encoding_can_be_set(client: Client) -> None:
    response = client.http.get("/json")
    response.encoding = "latin-1"
    assert response.text == '{"a": ["Ã¼"]}'


def test_binary_text_is_at_least_a_text(client: Client) -> None:
    response = client.http.get("/big")
    assert response.content == BIG
    has_text = response.text is not None
    assert has_text == by_kind(client.kind, "text in no known charset", False, True)


def test_json(client: Client) -> None:
    assert client.http.get("/json").json() == {"a": ["ü"]}
    with pytest.raises(json.JSONDecodeError):
        client.http.get("/not-json").json()


@pytest.mark.parametrize(
    ("path", "text"), [("/latin1-json", "\u00fc"), ("/broken-json-text", "\ufffd")]
)
def test_json_has_the_declared_charset(client: Client, path: str, text: str) -> None:
    response = client.http.get(path)
    assert response.json() == {"a": text}
    assert response.text == f'{{"a": "{text}"}}'
    assert response.json() == {"a": text}
    with client.user.rest("GET", path) as caught:
        assert caught.js == {"a": text}
    assert client.last["exception"] is None


@pytest.mark.parametrize(
    "path", ["/json-too-deep", "/json-too-long", "/not-gzip", "/unknown-coding"]
)
def test_json_that_cannot_be_had_is_counted(ours: Client, path: str) -> None:
    with ours.user.rest("GET", path) as response:
        assert response.js is None
    assert ours.last["exception"] is not None
    assert len(ours.fired) == 1


def test_json_with_a_mark_of_its_byte_order(ours: Client) -> None:
    by_kind("FastUser", "JSON with a BOM", None, None)
    assert ours.http.get("/json-with-bom").json() == {"a": 1}


def test_the_body_can_be_read_as_a_stream(ours: Client) -> None:
    for stream in (True, False):
        reader = ours.http.get("/gzip", stream=stream).stream
        assert reader.read(4) == TEXT.encode()[:4]
        assert reader.read() == TEXT.encode()[4:]
        assert reader.read(4) == b""


def test_headers_are_looked_up_without_regard_to_case(client: Client) -> None:
    headers = client.http.get("/odd-case").headers
    assert headers["content-length"] == headers["CONTENT-LENGTH"] == "5"
    assert headers.getlist("x-a") == ["1", "2"]
    assert client.http.get("/early-hints").headers.get("link") is None


def test_a_response_gives_its_times(ours: Client) -> None:
    first = ours.http.get("/drip")
    second = ours.http.get("/drip")
    assert first.connect_time > 0
    assert second.connect_time == 0
    assert 0 < second.time_to_first_byte < second.elapsed
    assert first.elapsed > first.connect_time
    assert ours.last["response_time"] == second.elapsed * 1000
    by_kind("FastUser", "`response.elapsed`", None, None)
    assert second.elapsed.total_seconds() == second.elapsed


def test_nothing_is_left_behind_by_a_client_that_is_dropped(ours: Client) -> None:
    gc.collect()
    for path in ("/plain", "/no-answer", "/truncated", "/until-close", "/not-http"):
        ours.http.get(path)
    ours.http.close()
    assert gc.collect() < 200


@pytest.mark.parametrize("coding", ["none", "UTF-8", "binary", "aws-chunked", "aws-chunked, gzip"])
def test_a_coding_that_changes_no_byte_is_none(coding: str) -> None:
    body = gzip.compress(b"hello") if "gzip" in coding else b"hello"
    assert content.decode(body, [coding]) == b"hello"
