"""What a recording's requests carry is sent as it was recorded, or its lack is said."""

import base64
from pathlib import Path
from typing import Any

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
    source, _ = made(tmp_path, capsys, [entry(0, "GET", "/", content=TITLE), posted])
    sent = sends(source)[1]
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
    _, said = made(tmp_path, capsys, [entry(0, "GET", "/", content=TITLE), lost])
    assert (
        "POST /lost/{id} is sent without its body, because the recording doesn't contain it" in said
    )
