"""Recordings that can't be used are one sentence; secrets never reach the locustfile."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from operations.cli import main

SITE = "https://site.example.org"


def _entry(url: str, text: str = "<title>A page</title>", **more: Any) -> dict[str, Any]:
    request = {"method": "GET", "url": url, "headers": [], **more.pop("request", {})}
    mime = more.pop("mime", "text/html")
    response = {
        "status": 200,
        "headers": [{"name": "Content-Type", "value": mime}],
        "content": {"mimeType": mime, "text": text, **more.pop("content", {})},
    }
    started = more.pop("started", "2026-11-21T03:00:00.000Z")
    return {"startedDateTime": started, "time": 50, "request": request, "response": response}


def _record(directory: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(["record", str(directory / "s.har"), "--output", str(directory / "made.py"), *more])
    assert isinstance(ended.value.code, int)
    said = capsys.readouterr()
    return ended.value.code, said.out + said.err


def _har(directory: Path, *entries: dict[str, Any]) -> None:
    (directory / "s.har").write_text(json.dumps({"log": {"version": "1.2", "entries": entries}}))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "is empty"),
        ('{"log": {"entries": [{"request": {"url": "https', "ends in the middle"),
        ("<html>", "is no HAR file"),
        ('{"entries": []}', "no list log.entries"),
        ('{"log": {"entries": []}}', "has no requests"),
    ],
)
def test_broken_recording_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, fault: str
) -> None:
    (tmp_path / "s.har").write_text(text)
    code, said = _record(tmp_path, capsys)
    assert (code, said.count("\n")) == (2, 1)
    assert fault in said


def test_recording_of_another_site_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _har(tmp_path, _entry(f"{SITE}/"))
    code, said = _record(tmp_path, capsys, "--host", "https://other.example.org")
    assert code == 2
    assert f"no request to https://other.example.org; it was made with {SITE}" in said


def test_recording_of_static_files_alone_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _har(tmp_path, _entry(f"{SITE}/site.css", mime="text/css"))
    code, said = _record(tmp_path, capsys)
    assert code == 2
    assert "only static files" in said


def test_large_recording_with_binary_bodies_is_converted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    binary = base64.b64encode(bytes(range(256)) * 40_000).decode()
    files = [
        _entry(
            f"{SITE}/files/{number}", binary, mime="application/pdf", content={"encoding": "base64"}
        )
        for number in range(3)
    ]
    _har(tmp_path, _entry(f"{SITE}/"), *files)
    code, said = _record(tmp_path, capsys)
    assert code == 0, said
    assert len((tmp_path / "made.py").read_text()) < 10_000


def test_too_large_recording_is_refused_unread(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (tmp_path / "s.har").open("wb") as file:
        file.truncate(600 * 1024 * 1024)
    code, said = _record(tmp_path, capsys)
    assert code == 2
    assert "at most" in said


def test_firefox_recording_loses_its_static_files_and_other_sites(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = _entry(f"{SITE}/app", mime="application/javascript")
    _har(tmp_path, _entry(f"{SITE}/"), script, _entry("https://cdn.example.net/x"))
    code, said = _record(tmp_path, capsys)
    assert code == 0, said
    assert "1 pages, 1 requests" in said
    assert "https://cdn.example.net (1)" in said


def test_secrets_go_to_accounts_and_environment_and_pauses_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    login = {
        "method": "POST",
        "headers": [
            {"name": "Content-Type", "value": "application/x-www-form-urlencoded"},
            {"name": "X-Api-Key", "value": "k-31415926"},
        ],
        "postData": {
            "mimeType": "application/x-www-form-urlencoded",
            "text": "username=ana&password=correct-horse",
        },
    }
    sent = _entry(f"{SITE}/login", request=login, started="2026-11-21T03:00:04.050Z")
    _har(tmp_path, _entry(f"{SITE}/"), sent)
    code, said = _record(tmp_path, capsys)
    made = (tmp_path / "made.py").read_text()
    assert code == 0, said
    assert "correct-horse" not in made + said
    assert "k-31415926" not in made + said
    assert '"password": self.user.account.password' in made
    assert 'os.environ["RECORDED_X_API_KEY"]' in made
    assert "set RECORDED_X_API_KEY before a run" in said
    assert "self.think(4.0)" in made
