"""Each kind of recording that others brought: what becomes of it, and that its code is clean."""

import ast
import base64
import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from loadgen.shared.project import PROJECT
from tests.unit.recordings.hars import SITE, Entry, entry, run_record, write

FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}
TOKEN = "eyJpdiI6IjFhMmIzYzRkNWU2Zjdn=="
TITLE = {"text": "<title>Shop</title>"}


def _made(
    directory: Path, capsys: pytest.CaptureFixture[str], entries: list[Any], *options: str
) -> tuple[str, str]:
    """Return the made source and what was said."""
    output = directory / "made.py"
    har = write(directory / "shop.har", entries)
    assert run_record(har, "--output", output, *options) == 0, capsys.readouterr().err
    return output.read_text(), capsys.readouterr().out


def _sent(source: str) -> list[dict[str, Any]]:
    """Return the arguments of each `self.send`; what is no constant as its source."""
    calls = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self.send":
            given = {"method": _value(node.args[0]), "path": _value(node.args[1])}
            given |= {str(one.arg): _value(one.value) for one in node.keywords}
            calls.append(given)
    return calls


def _value(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        if isinstance(node, ast.Dict):
            keys = [ast.literal_eval(key) for key in node.keys if key]
            return dict(zip(keys, map(_value, node.values), strict=True))
        if isinstance(node, ast.Tuple | ast.List):
            return [_value(one) for one in node.elts]
        return ast.unparse(node)


def _with_cookie(line: str) -> Entry:
    return entry(0, "GET", "/", answer={"set-cookie": line}, content=TITLE)


# --- tokens from cookies ---------------------------------------------------------------------


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
    source, said = _made(tmp_path, capsys, entries)
    sent = _sent(source)[1:]
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
    source, said = _made(tmp_path, capsys, entries)
    sent = _sent(source)
    assert sent[1]["headers"]["x-csrf"] == "self.cookie('tok')"
    assert sent[2]["headers"]["x-xsrf-token"] == "self.cookie('XSRF-TOKEN')"
    assert "the recording lacks the answer that contains the cookie XSRF-TOKEN" in said


# --- bodies ----------------------------------------------------------------------------------


def _posted(headers: dict[str, str], text: str, **more: str) -> Entry:
    made = entry(1, "POST", "/sent", headers=headers, body=text)
    made["request"]["postData"] |= more
    return made


BATCH = "--b1\r\nContent-Type: application/http\r\n\r\nGET A HTTP/1.1\r\n\r\n\r\n--b1--\r\n"
PARTS = (
    '--bb\r\nContent-Disposition: form-data; name="note"\r\n\r\none\r\ntwo --bb\n\r\n'
    '--bb\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\n'
    "Content-Type: text/plain; charset=utf-8\r\n\r\nx\r\ny\r\n\r\n--bb--\r\n"
)
BINARY = PARTS.replace("x\r\ny\r\n", "\x89PNG\xff").encode("latin-1")
MULTIPART = {"content-type": "multipart/form-data; boundary=bb"}
BODIES: dict[str, tuple[Entry, dict[str, Any]]] = {
    "batch": (
        _posted({"content-type": "multipart/mixed; boundary=b1"}, BATCH),
        {"data": BATCH, "type": "multipart/mixed; boundary=b1"},
    ),
    "line ends": (
        _posted(MULTIPART, PARTS),
        {
            "parts": [
                ("note", "", "", "one\r\ntwo --bb\n"),
                ("f", "a.txt", "text/plain; charset=utf-8", "x\r\ny\r\n"),
            ]
        },
    ),
    "cut off": (
        _posted(MULTIPART, PARTS.removesuffix("\r\n--bb--\r\n")),
        {
            "parts": [
                ("note", "", "", "one\r\ntwo --bb\n"),
                ("f", "a.txt", "text/plain; charset=utf-8", "x\r\ny\r\n"),
            ]
        },
    ),
    "boundary lost": (
        _posted({"content-type": "multipart/form-data"}, PARTS.replace("two --bb\n", "two")),
        {
            "parts": [
                ("note", "", "", "one\r\ntwo"),
                ("f", "a.txt", "text/plain; charset=utf-8", "x\r\ny\r\n"),
            ]
        },
    ),
    "file's bytes": (
        _posted(MULTIPART, base64.b64encode(BINARY).decode(), encoding="base64"),
        {
            "parts": [
                ("note", "", "", "one\r\ntwo --bb\n"),
                ("f", "a.txt", "text/plain; charset=utf-8", b"\x89PNG\xff"),
            ]
        },
    ),
    "bytes": (
        _posted({"content-type": "application/octet-stream"}, "AAECAwQF", encoding="base64"),
        {"data": b"\0\1\2\3\4\5", "type": "application/octet-stream"},
    ),
    "JSON in base64": (
        _posted(JSON, base64.b64encode(b'{"a": 1}').decode(), encoding="base64"),
        {"json": {"a": 1}, "type": "application/json"},
    ),
    "provisional headers": (
        _posted({}, "sku=1&n=2", mimeType="application/x-www-form-urlencoded"),
        {"form": {"sku": "1", "n": "2"}, "type": "application/x-www-form-urlencoded"},
    ),
    "null": (_posted(JSON, "null"), {"data": "null", "type": "application/json"}),
    "a key twice": (_posted(JSON, '{"a":1,"a":2}'), {"data": '{"a":1,"a":2}'}),
    "form of another charset": (_posted(FORM, "a=%E9&b"), {"data": "a=%E9&b"}),
    "text of another charset": (
        _posted({"content-type": "text/plain; charset=iso-8859-1"}, "é"),
        {"data": b"\xe9"},
    ),
    "undone coding": (
        _posted({**JSON, "content-encoding": "gzip"}, "[]"),
        {"json": [], "type": "application/json"},
    ),
    "lines": (
        _posted({"content-type": "text/xml"}, "<a>\r\n'\"\n</a>"),
        {"data": "<a>\r\n'\"\n</a>", "type": "text/xml"},
    ),
}


@pytest.mark.parametrize("kind", BODIES)
def test_body_and_type_are_sent_as_recorded(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    posted, right = BODIES[kind]
    source, _ = _made(tmp_path, capsys, [entry(0, "GET", "/", content=TITLE), posted])
    sent = _sent(source)[1]
    headers = sent.pop("headers", {})
    assert {name: sent[name] for name in ("data", "parts", "form", "json") if name in sent} == {
        name: value for name, value in right.items() if name != "type"
    }
    if "type" in right:
        assert headers["content-type"] == right["type"]
    assert "content-encoding" not in headers
    assert ("content-type" in headers) != ("parts" in sent)


def test_a_body_that_the_recording_lacks_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lost = entry(1, "POST", "/lost/7", headers=JSON)
    lost["request"]["bodySize"] = 512
    _, said = _made(tmp_path, capsys, [entry(0, "GET", "/", content=TITLE), lost])
    assert "POST /lost/{id} is sent without its body, which the recording lacks" in said


# --- one odd entry ---------------------------------------------------------------------------


def _odd() -> dict[str, Any]:
    def changed(part: str, **values: Any) -> Entry:
        made = entry(1, "GET", "/odd?q=hidden")
        (made[part] if part else made).update(values)
        return made

    lacking = entry(1, "GET", "/odd")
    del lacking["request"]["method"]
    return {
        "no answer": changed("", response=None),
        "status null": changed("response", status=None),
        "status 0": changed("response", status=0),
        "status text": changed("response", status="none"),
        "bad address": changed("request", url="http://[broken/"),
        "no host": changed("request", url="http:///path"),
        "bad port": changed("request", url="https://site.example:99999/"),
        "control character": changed("request", url=f"{SITE}/a\nb"),
        "no method": lacking,
        "odd method": changed("request", method="GET /"),
        "no time": changed("", startedDateTime=None),
        "odd time": changed("", startedDateTime="yesterday"),
        "odd headers": changed("request", headers=["x"]),
        "a number": 5,
        "nothing": None,
    }


@pytest.mark.parametrize("kind", _odd())
def test_an_odd_entry_is_left_out_and_named(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [entry(0, "GET", "/", content=TITLE), _odd()[kind], entry(2, "GET", "/whole")]
    source, said = _made(tmp_path, capsys, entries)
    assert [one["path"] for one in _sent(source)] == ["/", "/whole"]
    assert "left out: request 2" in said
    assert "hidden" not in said


def test_what_other_tools_write_is_no_oddity(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = entry(1, "GET", "/other")
    other["startedDateTime"] = "2026-11-21T11:00:02.1234567+01:00"
    other["time"] = None
    other["request"] |= {"headers": None, "postData": None, "cookies": None}
    other["response"] |= {"status": "200", "content": None, "headers": None}
    source, said = _made(tmp_path, capsys, [entry(0, "GET", "/", content=TITLE), other])
    assert [one["path"] for one in _sent(source)] == ["/", "/other"]
    assert "left out" not in said


# --- secrets ---------------------------------------------------------------------------------


def test_the_password_of_an_address_is_taken_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = "https://ann:Hunter22%21secret@site.example"
    entries = [
        entry(0, "GET", "/", site=site, content=TITLE),
        entry(1, "GET", "/a", site="https://bob:s3cret-of-bob@cdn.example"),
    ]
    for options in ((), ("--host", "https://eve:s3cret-of-eve@SITE.example:443")):
        source, said = _made(tmp_path, capsys, entries, *options)
        for secret in ("Hunter22", "s3cret", "ann:", "bob", "eve"):
            assert secret not in source
            assert secret not in said
        assert 'host = "https://site.example"' in source
        assert _sent(source)[0]["headers"]["authorization"] == (
            "os.environ['RECORDED_AUTHORIZATION']"
        )


def test_a_password_equal_to_the_user_name_is_kept_as_a_secret_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    login = entry(1, "POST", "/login", headers=FORM, body="user=admin&password=admin&again=admin")
    source, _ = _made(tmp_path, capsys, [entry(0, "GET", "/", content=TITLE), login])
    form = _sent(source)[1]["form"]
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
    source, said = _made(tmp_path, capsys, entries)
    assert "Zebra-9" not in source + said
    assert "self.user.account.password" in source
    assert "the login POST /in uses each user's own account" in said


# --- headers, upgrades, streams --------------------------------------------------------------


def test_headers_of_the_way_are_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hops = {
        "Proxy-Connection": "keep-alive",
        "Proxy-Authorization": "Basic Y29ycDpzM2NyM3Q=",
        "X-Forwarded-For": "10.0.0.1",
        "Via": "1.1 proxy",
        "Keep-Alive": "300",
        "Upgrade": "h2c",
        "TE": "trailers",
        "Connection": "keep-alive, X-Own-Hop",
        "X-Own-Hop": "1",
    }
    page = entry(0, "GET", "/", headers={**hops, "x-kept": "yes"}, content=TITLE)
    source, said = _made(tmp_path, capsys, [page])
    assert set(_sent(source)[0]["headers"]) == {"accept", "x-kept"}
    for name in hops.keys() - {"Connection"}:
        assert name.lower() in said
    assert "Y29ycDpzM2NyM3Q" not in source + said


def test_upgrades_and_endless_streams_are_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [
        entry(0, "GET", "/", content=TITLE),
        entry(1, "GET", "/live/7", status=101, headers={"upgrade": "websocket"}),
        entry(2, "GET", "/news", mime="text/event-stream; charset=utf-8"),
        entry(3, "GET", "/chat", site="wss://site.example"),
    ]
    source, said = _made(tmp_path, capsys, entries)
    assert [one["path"] for one in _sent(source)] == ["/"]
    assert "left out: the WebSocket /live/{id}, whose messages the recording lacks" in said
    assert "left out: the WebSocket /chat" in said
    assert "left out: the stream of events /news" in said


def test_a_websocket_with_its_messages_is_replayed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    token = "0b6e7d0a-4f6a-4a57-9d2a-3c2f9a1be001"
    socket = entry(2, "GET", "/live/7", status=101, site="wss://site.example")
    opened = 1795255204.0
    said_to = [
        ("send", 1, json.dumps({"type": "hello", "id": token})),
        ("receive", 1, "welcome"),
        ("send", 1, json.dumps({"type": "auth", "access_token": "s3cret-of-ann"})),
        ("send", 2, base64.b64encode(b"\x00\xff").decode()),
        ("receive", 1, "bye"),
    ]
    socket |= {
        "_resourceType": "websocket",
        "time": 600_000,
        "_webSocketMessages": [
            {"type": kind, "opcode": opcode, "time": opened + number / 2, "data": data}
            for number, (kind, opcode, data) in enumerate(said_to)
        ],
    }
    page = entry(
        1, "GET", "/api", mime="application/json", content={"text": f'{{"id": "{token}"}}'}
    )
    after = entry(3, "GET", "/after")
    source, said = _made(
        tmp_path, capsys, [entry(0, "GET", "/", content=TITLE), page, socket, after]
    )
    assert "1 of the requests are WebSockets, replayed with their messages" in said
    assert "s3cret" not in source + said
    assert token not in source
    (call,) = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self.websocket"
    ]
    given = {one.arg: _value(one.value) for one in call.keywords}
    assert (_value(call.args[0]), given["name"], given["receives"]) == ("/live/7", "/live/{id}", 2)
    assert [seconds for seconds, _ in given["sends"]] == [0.0, 1.0, 1.5]
    assert given["sends"][2][1] == b"\x00\xff"
    assert "os.environ['RECORDED_ACCESS_TOKEN']" in given["sends"][1][1]
    assert "self.think(1.5)" in source, "what follows doesn't wait for the WebSocket's end"


# --- the site --------------------------------------------------------------------------------


def _frame(number: int) -> Entry:
    made = entry(number, "GET", f"/frame/{number}", site="https://ads.example", content=TITLE)
    made["_resourceType"] = "document"
    return made


def _redirect(number: int, site: str, target: str, path: str = "/") -> Entry:
    return entry(number, "GET", path, site=site, status=302, answer={"location": target})


SITES: dict[str, tuple[list[Entry], str]] = {
    "frames of an advertiser": (
        [
            entry(0, "GET", "/", content=TITLE),
            _frame(1),
            _frame(2),
            entry(3, "GET", "/api", headers={"accept": "application/json"}, mime="text/json"),
        ],
        SITE,
    ),
    "moved": (
        [
            _redirect(0, "http://site.example", "https://www.site.example/"),
            entry(1, "GET", "/", site="https://www.site.example", content=TITLE),
            entry(2, "GET", "/more", site="https://www.site.example"),
        ],
        "https://www.site.example",
    ),
    "login elsewhere": (
        [
            _redirect(0, SITE, "https://login.example/sso"),
            entry(1, "GET", "/sso", site="https://login.example", content=TITLE),
            _redirect(2, "https://login.example", f"{SITE}/home", "/done"),
            entry(3, "GET", "/home", content=TITLE),
            entry(4, "GET", "/work", content=TITLE),
        ],
        SITE,
    ),
    "no page": (
        [
            entry(0, "GET", "/one", site="https://a.example", headers={"accept": "*/*"}),
            entry(1, "GET", "/two", headers={"accept": "*/*"}),
            entry(2, "GET", "/three", headers={"accept": "*/*"}),
        ],
        SITE,
    ),
    "case and port": (
        [entry(0, "GET", "/", site="https://SITE.example:443"), entry(1, "GET", "/two")],
        SITE,
    ),
}


@pytest.mark.parametrize("kind", SITES)
def test_the_site_is_that_of_the_first_page_and_its_redirects(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries, site = SITES[kind]
    source, _ = _made(tmp_path, capsys, copy.deepcopy(entries))
    assert f'host = "{site}"' in source
    kept = [one for one in entries if one["request"]["url"].lower().startswith(site)]
    assert len(_sent(source)) == len(kept)


# --- the made code ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["session", "None", "class", "account pool", "recorded_user", "7"])
def test_the_made_code_is_clean_under_the_projects_own_check(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [
        entry(0, "GET", "/", content={"text": "<title>Shop \u2013 Übersicht</title>"}),
        entry(1, "POST", "/login", headers=FORM, body="user=ann&password=Zebra-9&x=" + "y" * 200),
        entry(2, "GET", "/" + "long" * 40, headers={"x-api-key": "key-of-ann", "x-odd": "it's"}),
        *(one for one, _ in BODIES.values()),
    ]
    output = tmp_path / "made.py"
    assert run_record(write(tmp_path / f"{name}.har", entries), "--output", output) == 0
    capsys.readouterr()
    source = output.read_text()
    for check in (["check"], ["format", "--check"]):
        subprocess.run(
            [sys.executable, "-m", "ruff", *check, "--config", PROJECT / "pyproject.toml", output],
            check=True,
            timeout=30,
        )
    classes = [one.name for one in ast.walk(ast.parse(source)) if isinstance(one, ast.ClassDef)]
    imported = [
        alias.name
        for one in ast.walk(ast.parse(source))
        if isinstance(one, ast.ImportFrom)
        for alias in one.names
    ]
    assert len({*classes, *imported}) == len(classes) + len(imported)
