"""`loadgen record`: what it makes of good recordings, and says of bad ones."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from loadgen.cli.main import main
from loadgen.recordings.har import LARGEST_BYTES

SITE = "https://site.example"
UUID = "1f8e2a3c-0000-4000-8000-00000000000a"
TOKEN = "t0ken-0123456789abcdef"
Entry = dict[str, Any]


def _entry(number: int, method: str, path: str, **given: Any) -> Entry:
    """Return an entry as Firefox writes it: without `_resourceType`."""
    pairs = {"accept": "text/html"} | given.get("headers", {})
    mime = given.get("mime", "text/html")
    answer = {"content-type": mime} | given.get("answer", {})
    posted = given.get("body")
    request: Entry = {
        "method": method,
        "url": given.get("site", SITE) + path,
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "queryString": [],
        "headersSize": -1,
        "bodySize": -1,
        "headers": [{"name": name, "value": value} for name, value in pairs.items()],
    }
    if posted:
        request["postData"] = {"mimeType": pairs.get("content-type", ""), "text": posted}
    return {
        "startedDateTime": f"2026-11-21T10:00:{number * 2:02}.000Z",
        "time": 500,
        "request": request,
        "response": {
            "status": given.get("status", 200),
            "headers": [{"name": name, "value": value} for name, value in answer.items()],
            "content": {"mimeType": mime, "text": "", **given.get("content", {})},
        },
    }


def _session() -> list[Entry]:
    form = {"content-type": "application/x-www-form-urlencoded"}
    page = f'<title>Welcome</title><input name="csrf" value="{TOKEN}"><a href="/items/{UUID}">x</a>'
    binary = base64.b64encode(b"\xff\xfe\x00").decode()
    return [
        _entry(0, "GET", "/login", content={"text": page}),
        _entry(1, "GET", "/site.css", mime="text/css"),
        _entry(2, "GET", "/logo", mime="image/png"),
        _entry(
            3,
            "POST",
            "/login",
            status=302,
            headers=form,
            body=f"csrf={TOKEN}&user=ann&password=hunter22",
        ),
        _entry(4, "GET", f"/items/{UUID}", headers={"x-api-key": "key-of-ann-77"}),
        _entry(5, "GET", "/pages/7", content={"text": binary, "encoding": "base64"}),
        _entry(6, "GET", "/beacon", site="https://elsewhere.example"),
    ]


def _write(path: Path, entries: object) -> Path:
    path.write_text(json.dumps({"log": {"version": "1.2", "creator": {}, "entries": entries}}))
    return path


def _record(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["record", *map(str, arguments)])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_record_correlates_groups_and_takes_secrets_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "made.py"
    assert _record(_write(tmp_path / "my session.har", _session()), "--output", made) == 0
    text, said = made.read_text(), capsys.readouterr().out
    assert "hunter22" not in text
    assert "key-of-ann-77" not in text
    assert TOKEN not in text
    assert UUID not in text
    assert "site.css" not in text
    assert "elsewhere" not in text
    assert 'name="/items/{uuid}"' in text
    assert 'name="/pages/{id}"' in text
    assert 'contains="Welcome"' in text
    assert "self.think(1.5)" in text
    assert "class MySession(" in text
    assert "x-api-key of header in /items" in said
    assert "set RECORDED_X_API_KEY before a run" in said
    assert "7 in GET /pages/7" in said
    assert "left out: 2 static files" in said, "Firefox doesn't say which files are static"
    assert "https://elsewhere.example (1)" in said
    assert '"password": self.user.account.password' in text
    assert 'os.environ["RECORDED_X_API_KEY"]' in text
    assert "hunter22" not in said
    assert "key-of-ann-77" not in said


def _bad_recordings(directory: Path) -> dict[str, tuple[Path, str]]:
    whole = _write(directory / "whole.har", _session())
    cut = directory / "cut.har"
    cut.write_text(whole.read_text()[:-200])
    early = directory / "early.har"
    early.write_text('{"log": {"entries": [{"request": {"url": "https')
    page, other = directory / "page.har", directory / "other.har"
    page.write_text("<html>")
    other.write_text('{"entries": []}')
    empty, binary, large = (directory / f"{name}.har" for name in ("empty", "binary", "large"))
    empty.touch()
    binary.write_bytes(b"\x89PNG\xff\x00")
    with large.open("wb") as file:
        file.truncate(max(LARGEST_BYTES + 1, 200_000_000))
    lacking = _session()
    del lacking[3]["request"]["method"]
    return {
        "cut": (cut, "ends in the middle"),
        "empty": (empty, "is empty"),
        "binary": (binary, "is not UTF-8 text"),
        "large": (large, "200 MB"),
        "missing": (directory / "missing.har", "No such file"),
        "early": (early, "ends in the middle"),
        "page": (page, "is no HAR file"),
        "other": (other, "no list log.entries"),
        "none": (_write(directory / "none.har", []), "has no requests"),
        "lacking": (_write(directory / "lacking.har", lacking), "its request 4 lacks"),
        "static": (_write(directory / "static.har", _session()[1:3]), "has only static files"),
        "letters": (_write(directory / "letters.har", "abc"), "its request 1 lacks"),
    }


@pytest.mark.parametrize(
    "name",
    [
        *("cut", "early", "empty", "binary", "large", "missing", "page", "other", "none"),
        *("lacking", "static", "letters"),
    ],
)
def test_record_says_in_one_sentence_what_is_wrong(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, words = _bad_recordings(tmp_path)[name]
    assert _record(path, "--output", tmp_path / "made.py") == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "made.py").exists()


def test_record_of_another_site_names_the_sites_it_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    har = _write(tmp_path / "session.har", _session())
    arguments = ("--host", "https://mine.example", "--output", tmp_path / "made.py")
    assert _record(har, *arguments) == 2
    said = capsys.readouterr().err
    assert "has no request to https://mine.example" in said
    assert SITE in said


def test_record_leaves_large_binary_bodies_out(tmp_path: Path) -> None:
    binary = base64.b64encode(bytes(range(256)) * 40_000).decode()
    content = {"text": binary, "encoding": "base64"}
    files = [
        _entry(number, "GET", f"/files/{number}", mime="application/pdf", content=content)
        for number in range(1, 4)
    ]
    har = _write(tmp_path / "session.har", [_entry(0, "GET", "/"), *files])
    assert har.stat().st_size > 30_000_000
    made = tmp_path / "made.py"
    assert _record(har, "--output", made) == 0
    assert made.stat().st_size < 10_000


def test_record_overwrites_no_file_that_was_not_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "locustfiles" / "session.py"
    mine.parent.mkdir()
    mine.write_text("mine")
    assert _record(_write(tmp_path / "session.har", _session())) == 2
    assert "exists already" in capsys.readouterr().err
    assert mine.read_text() == "mine"
