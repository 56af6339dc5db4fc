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
from tests.unit.recordings.hars import (
    FORM,
    SITE,
    TITLE,
    Entry,
    entry,
    made,
    run_record,
    sends,
    value_of,
    write,
)
from tests.unit.recordings.test_bodies import BODIES

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
    source, said = made(tmp_path, capsys, entries)
    assert [one["path"] for one in sends(source)] == ["/", "/whole"]
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
    source, said = made(tmp_path, capsys, [entry(0, "GET", "/", content=TITLE), other])
    assert [one["path"] for one in sends(source)] == ["/", "/other"]
    assert "left out" not in said


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
    source, said = made(tmp_path, capsys, [page])
    assert set(sends(source)[0]["headers"]) == {"accept", "x-kept"}
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
    source, said = made(tmp_path, capsys, entries)
    assert [one["path"] for one in sends(source)] == ["/"]
    assert "left out: the WebSocket /live/{id}, whose messages are not in the recording" in said
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
    source, said = made(
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
    given = {one.arg: value_of(one.value) for one in call.keywords}
    assert (value_of(call.args[0]), given["name"], given["receives"]) == (
        "/live/7",
        "/live/{id}",
        2,
    )
    assert [seconds for seconds, _ in given["sends"]] == [0.0, 1.0, 1.5]
    assert given["sends"][2][1] == b"\x00\xff"
    assert "os.environ['RECORDED_ACCESS_TOKEN']" in given["sends"][1][1]
    assert "self.think(1.5)" in source, "what follows doesn't wait for the WebSocket's end"


def test_a_websocket_is_opened_with_what_its_page_offered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    offered = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Key": "cmFuZG9t",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
        "Sec-WebSocket-Protocol": "graphql-transport-ws, bearer, 0paque-of-ann",
        "X-Tenant": "7",
        "Authorization": "Bearer s3cret-of-ann",
    }
    chosen = {"sec-websocket-extensions": "permessage-deflate"}
    socket = entry(1, "GET", "/live", status=101, headers=offered, answer=chosen)
    message = {"type": "receive", "opcode": 1, "time": 1795255204.0, "data": "welcome"}
    socket |= {"_resourceType": "websocket", "_webSocketMessages": [message]}
    source, said = made(tmp_path, capsys, [entry(0, "GET", "/", content=TITLE), socket])
    (call,) = [
        node
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self.websocket"
    ]
    given = {one.arg: value_of(one.value) for one in call.keywords}
    assert given["subprotocols"] == [
        "graphql-transport-ws",
        "bearer",
        "os.environ['RECORDED_BEARER']",
    ]
    assert given["compress"] is True
    assert given["headers"].keys() - {"accept"} == {"x-tenant", "authorization"}
    assert "of-ann" not in source + said
    assert "headers that proxies added" not in said


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
    source, _ = made(tmp_path, capsys, copy.deepcopy(entries))
    assert f'host = "{site}"' in source
    kept = [one for one in entries if one["request"]["url"].lower().startswith(site)]
    assert len(sends(source)) == len(kept)


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
