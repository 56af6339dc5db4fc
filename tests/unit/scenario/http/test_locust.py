"""FastUser inside Locust: with-blocks, names, context, rest, streams, events; as FastHttpUser."""

import time
from typing import Any

import pytest
from locust.exception import LocustError, ResponseError

from tests.unit.scenario.http.awkward import Awkward
from tests.unit.scenario.http.conftest import Client


def test_the_event_has_fast_http_users_arguments(client: Client, server: Awkward) -> None:
    response = client.http.get("/plain", name="named", context={"a": 1})
    assert set(client.last) == {
        "request_type", "name", "context", "response", "exception", "start_time", "url",
        "response_length", "response_time",
    }  # fmt: skip
    assert client.last["response"] is response
    assert client.last["name"] == "named"
    assert client.last["context"] == {"a": 1}
    assert client.last["url"] == server.url + "/plain"


def test_the_users_context_comes_with_each_event(client: Client) -> None:
    client.user.context = lambda: {"user": 7, "a": 0}
    client.http.get("/plain", context={"a": 1})
    assert client.last["context"] == {"user": 7, "a": 1}


def test_requests_can_be_renamed(client: Client) -> None:
    with client.http.rename_request("group"):
        client.http.get("/plain")
        client.http.get("/plain", name="own")
    client.http.get("/plain")
    assert [meta["name"] for meta in client.fired] == ["group", "own", "/plain"]


def test_a_with_block_decides_what_counts(client: Client) -> None:
    with client.http.get("/status/404", catch_response=True) as response:
        response.success()
    assert client.last["exception"] is None
    with client.http.get("/plain", catch_response=True) as response:
        response.failure("wrong")
    assert repr(client.last["exception"]) == "CatchResponseError('wrong')"
    with client.http.get("/plain", catch_response=True) as response:
        response.failure(KeyError("k"))
    assert repr(client.last["exception"]) == "KeyError('k')"
    with client.http.get("/status/500", catch_response=True):
        pass
    assert repr(client.last["exception"]) == "LocustBadStatusCode(code=500)"
    with client.http.get("/no-answer", catch_response=True) as response:
        response.success()
    assert client.last["exception"] is None
    assert len(client.fired) == 5


def test_the_event_waits_for_the_end_of_the_block(client: Client) -> None:
    with client.http.get("/plain", catch_response=True) as response:
        assert client.fired == []
        response.request_meta["name"] = "changed"
    assert client.last["name"] == "changed"


def test_exceptions_in_a_with_block(client: Client) -> None:
    with client.http.get("/plain", catch_response=True):
        raise ResponseError("counts")
    assert repr(client.last["exception"]) == "ResponseError('counts')"
    with pytest.raises(KeyError), client.http.get("/plain", catch_response=True):
        raise KeyError("task's own")
    assert len(client.fired) == 1
    response = client.http.get("/plain", catch_response=True)
    with pytest.raises(KeyError), response:
        _succeed_and_raise(response)
    assert len(client.fired) == 2


def _succeed_and_raise(response: Any) -> None:
    response.success()
    raise KeyError("after the verdict")


def test_a_response_outside_a_with_block_has_no_verdict(client: Client) -> None:
    response = client.http.get("/plain")
    for call in (response.success, lambda: response.failure("x")):
        with pytest.raises(LocustError, match="catch_response"):
            call()
    caught = client.http.get("/plain", catch_response=True)
    with pytest.raises(LocustError):
        caught.success()


def test_raise_for_status_knows_the_verdict(client: Client) -> None:
    with client.http.get("/status/404", catch_response=True) as response:
        with pytest.raises(Exception, match="404"):
            response.raise_for_status()
        response.success()
        response.raise_for_status()


def test_rest(client: Client, server: Awkward) -> None:
    with client.user.rest("GET", "/json") as response:
        assert response.js == {"a": ["ü"]}
    assert client.last["exception"] is None
    assert server.received[-1].values("accept") == ["application/json"]
    with client.user.rest("GET", "/not-json") as response:
        assert response.js is None
    assert "Could not parse response as JSON" in str(client.last["exception"])
    with client.user.rest("GET", "/json") as response:
        assert response.js == [], "unexpected"
    assert "unexpected" in str(client.last["exception"])
    with client.user.rest("GET", "/no-answer") as response:
        assert response.js is None
    assert client.last["exception"] is not None
    with client.user.rest_("GET", "/json") as response:
        assert response.js
    assert client.last["name"] == "/json?_=..."
    assert len(client.fired) == 5


def test_a_streamed_body_is_read_when_asked_for(client: Client, server: Awkward) -> None:
    response = client.http.get("/big", stream=True)
    assert client.last["response_length"] == 256 * 4096
    body = b"".join(response.iter_content(8192, decode_content=False))
    assert len(body) == 256 * 4096
    assert client.http.get("/plain").content == b"hello"
    assert server.connections == 1


def test_a_streamed_body_can_be_had_at_once(client: Client) -> None:
    assert client.http.get("/chunked", stream=True).content == b"hello"


def test_lines_of_a_streamed_response(client: Client) -> None:
    assert list(client.http.iter_lines("/lines")) == ["one", "two", "three"]
    with pytest.raises(Exception, match="404"):
        list(client.http.iter_lines("/status/404"))


def test_a_streamed_body_that_breaks_off_raises(ours: Client) -> None:
    response = ours.http.get("/truncated", stream=True)
    assert ours.last["exception"] is None
    with pytest.raises(ConnectionError, match="in the middle"):
        list(response.iter_content())


def test_a_streamed_response_that_nobody_reads_gives_its_connection_up(ours: Client) -> None:
    for _ in range(15):
        ours.http.get("/big", stream=True).close()
        ours.http.get("/big", stream=True)
        ours.fired.clear()
    with ours.http.get("/big", stream=True, catch_response=True) as response:
        response.success()
    assert ours.http.get("/plain").ok


def test_a_streamed_body_is_decoded(ours: Client) -> None:
    pieces: Any = ours.http.get("/gzip", stream=True).iter_content()
    assert "".join(pieces).startswith("grüße grüße")


def test_a_late_start_is_counted(ours: Client) -> None:
    ours.http.get("/plain")
    sent_at = ours.last["start_time"]
    ours.http.get("/plain")
    assert ours.last["response_time"] < 500
    ours.http.intended_start = time.perf_counter() - 2.0
    ours.http.get("/plain")
    assert 2000 <= ours.last["response_time"] < 2500
    assert ours.last["start_time"] < sent_at
    ours.http.get("/plain")
    assert ours.last["response_time"] < 500
