"""A replayed session sends what a browser would: Origin, live cookies, a form's parts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import pytest
from locust.env import Environment
from requests.cookies import create_cookie

from loadgen.scenario.recorded import RecordedSession, RecordedUser
from tests.unit.scenario.http.awkward import Awkward, awkward_server


class _Session(RecordedSession):
    """Its requests are the tests'."""


@pytest.fixture
def server() -> Iterator[Awkward]:
    with gevent.Timeout(20), awkward_server() as one:
        yield one


@contextmanager
def _session(host: str) -> Iterator[_Session]:
    user_class = type("Recorded", (RecordedUser,), {"host": host, "tasks": [_Session]})
    user: Any = user_class(Environment())
    made: Any = _Session
    session: _Session = made(user)
    session.on_start()
    yield session
    user.client.close()


def test_a_change_names_its_origin_as_browsers_write_it(server: Awkward) -> None:
    port = server.url.rpartition(":")[2]
    with _session(f"http://LocalHost:{port}/") as session:
        session.send("POST", "/plain", name="/plain", status=200)
    sent = server.received[-1]
    assert sent.values("origin") == [f"http://localhost:{port}"]
    assert sent.values("referer") == [f"http://localhost:{port}/"]


def test_a_cookie_is_read_as_it_is_now_and_decoded(server: Awkward) -> None:
    with _session(server.url) as session:
        assert session.cookie("tok") == ""
        for value in ("first", "eyJpdiI6%3D%3D"):
            session.client.cookiejar.set_cookie(create_cookie("tok", value))
            sent = {"x-t": session.cookie("tok")}
            session.send("GET", "/plain", name="/", status=200, headers=sent)
    assert [one.values("x-t") for one in server.received] == [["first"], ["eyJpdiI6=="]]


def test_a_forms_parts_are_sent_to_the_byte(server: Awkward) -> None:
    parts: list[Any] = [
        ("note", "", "", "one\r\ntwo\n"),
        ('od"d', 'a"\r\n.bin', "application/pdf", b"\x89\r\n\xff"),
        ("made", "up.bin", "image/png", 3),
    ]
    with _session(server.url) as session:
        session.send("POST", "/plain", name="/", status=200, parts=parts)
    sent = server.received[-1]
    boundary = sent.values("content-type")[0].partition("boundary=")[2].encode()
    assert sent.body.split(b"--" + boundary) == [
        b"",
        b'\r\nContent-Disposition: form-data; name="note"\r\n\r\none\r\ntwo\n\r\n',
        b'\r\nContent-Disposition: form-data; name="od%22d"; filename="a%22%0D%0A.bin"\r\n'
        b"Content-Type: application/pdf\r\n\r\n\x89\r\n\xff\r\n",
        b'\r\nContent-Disposition: form-data; name="made"; filename="up.bin"\r\n'
        b"Content-Type: image/png\r\n\r\n\0\0\0\r\n",
        b"--\r\n",
    ]
