"""Tokens come from the live session and passwords from accounts: none is in the made code."""

import json
from pathlib import Path

import pytest

from tests.unit.recordings.hars import (
    FORM,
    JSON,
    MULTIPART,
    TITLE,
    Entry,
    entry,
    made,
    sends,
)

TOKEN = "eyJpdiI6IjFhMmIzYzRkNWU2Zjdn=="


def _with_cookie(line: str) -> Entry:
    return entry(0, "GET", "/", answer={"set-cookie": line}, content=TITLE)


@pytest.mark.parametrize(
    "page",
    [
        _with_cookie(f"tok={TOKEN}; Path=/"),
        _with_cookie("tok=eyJpdiI6IjFhMmIzYzRkNWU2Zjdn%3D%3D; path=/"),
        _with_cookie(f'tok="{TOKEN}"; HttpOnly'),
        _with_cookie(f"first=1; Path=/\ntok={TOKEN}"),
    ],
    ids=["plain", "encoded", "quoted", "several"],
)
def test_a_token_of_a_cookie_is_read_from_the_live_cookie(
    page: Entry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [
        page,
        entry(1, "POST", "/header", headers={"x-csrf": TOKEN, **JSON}, body='{"a": 1}'),
        entry(2, "POST", "/plain-name", headers={"csrf-token": TOKEN}),
        entry(3, "GET", "/bearer", headers={"authorization": f"Bearer {TOKEN}"}),
        entry(4, "POST", "/form", headers=FORM, body=f"_token={TOKEN.replace('=', '%3D')}&a=1"),
        entry(5, "POST", "/json", headers=JSON, body=json.dumps({"csrf": TOKEN})),
    ]
    source, said = made(tmp_path, capsys, entries)
    sent = sends(source)[1:]
    live = "self.cookie('tok')"
    assert TOKEN not in source
    assert "RECORDED_" not in said
    assert sent[0]["headers"]["x-csrf"] == live
    assert sent[1]["headers"]["csrf-token"] == live
    assert sent[2]["headers"]["authorization"] == "f\"Bearer {self.cookie('tok')}\""
    assert sent[3]["form"]["_token"] == live
    assert sent[4]["json"]["csrf"] == live


def test_a_cookie_older_than_the_recording_and_one_left_out_of_it_are_live_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [
        entry(0, "GET", "/", content=TITLE),
        entry(1, "POST", "/a", headers={"cookie": f"z=1; tok={TOKEN}", "x-csrf": TOKEN}),
        entry(2, "POST", "/b", headers={"x-xsrf-token": "0123456789abcdef"}),
    ]
    source, said = made(tmp_path, capsys, entries)
    sent = sends(source)
    assert sent[1]["headers"]["x-csrf"] == "self.cookie('tok')"
    assert sent[2]["headers"]["x-xsrf-token"] == "self.cookie('XSRF-TOKEN')"
    assert "the recording doesn't contain the response with the cookie XSRF-TOKEN" in said


def test_the_password_of_an_address_is_taken_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = "https://ann:Hunter22%21secret@site.example"
    entries = [
        entry(0, "GET", "/", site=site, content=TITLE),
        entry(1, "GET", "/a", site="https://bob:s3cret-of-bob@cdn.example"),
    ]
    for options in ((), ("--host", "https://eve:s3cret-of-eve@SITE.example:443")):
        source, said = made(tmp_path, capsys, entries, *options)
        for secret in ("Hunter22", "s3cret", "ann:", "bob", "eve"):
            assert secret not in source
            assert secret not in said
        assert 'host = "https://site.example"' in source
        assert sends(source)[0]["headers"]["authorization"] == (
            "os.environ['RECORDED_AUTHORIZATION']"
        )


def test_a_password_equal_to_the_user_name_is_kept_as_a_secret_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    login = entry(1, "POST", "/login", headers=FORM, body="user=admin&password=admin&again=admin")
    source, _ = made(tmp_path, capsys, [entry(0, "GET", "/", content=TITLE), login])
    form = sends(source)[1]["form"]
    assert form["user"] == "self.user.account.username"
    assert form["password"] == "self.user.account.password"
    assert form["again"].startswith("self.user.account.")


@pytest.mark.parametrize(
    ("headers", "body", "path"),
    [
        (JSON, '{"user": {"email": "ann@x.example", "password": "Zebra-9"}}', "/in"),
        (FORM, "user%5Bemail%5D=ann&user%5Bpassword%5D=Zebra-9", "/in"),
        (FORM, "j_username=ann&j_password=Zebra-9", "/in"),
        (FORM, "new_password1=Zebra-9&new_password2=Zebra-9", "/in"),
        ({}, None, "/in?user=ann&password=Zebra-9"),
        (
            MULTIPART,
            '--bb\r\nContent-Disposition: form-data; name="password"\r\n\r\nZebra-9\r\n--bb--',
            "/in",
        ),
    ],
    ids=["nested", "brackets", "spring", "twice", "query", "multipart"],
)
def test_a_password_is_found_wherever_it_is_sent(
    headers: dict[str, str],
    body: str | None,
    path: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    later = entry(2, "POST", "/xml", headers={"content-type": "text/xml"}, body="<p>Zebra-9</p>")
    entries = [entry(0, "GET", "/"), entry(1, "POST", path, headers=headers, body=body), later]
    source, said = made(tmp_path, capsys, entries)
    assert "Zebra-9" not in source + said
    assert "self.user.account.password" in source
    assert "the login POST /in uses each user's own account" in said
