"""`loadgen record`: what it makes of good recordings, and says of bad ones."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

from loadgen.recordings import har
from loadgen.recordings.har import LARGEST_FILE_BYTES
from tests.unit.recordings.hars import SITE, Entry, entry, run_record, write

UUID = "1f8e2a3c-0000-4000-8000-00000000000a"
TOKEN = "t0ken-0123456789abcdef"


def _session() -> list[Entry]:
    form = {"content-type": "application/x-www-form-urlencoded"}
    page = f'<title>Welcome</title><input name="csrf" value="{TOKEN}"><a href="/items/{UUID}">x</a>'
    binary = base64.b64encode(b"\xff\xfe\x00").decode()
    return [
        entry(0, "GET", "/login", content={"text": page}),
        entry(1, "GET", "/site.css", mime="text/css"),
        entry(2, "GET", "/logo", mime="image/png"),
        entry(
            3,
            "POST",
            "/login",
            status=302,
            headers=form,
            body=f"csrf={TOKEN}&user=ann&password=hunter22",
        ),
        entry(4, "GET", f"/items/{UUID}", headers={"x-api-key": "key-of-ann-77"}),
        entry(5, "GET", "/pages/7", content={"text": binary, "encoding": "base64"}),
        entry(6, "GET", "/beacon", site="https://elsewhere.example"),
    ]


def test_record_correlates_groups_and_takes_secrets_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "made.py"
    assert run_record(write(tmp_path / "my session.har", _session()), "--output", made) == 0
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
    whole = write(directory / "whole.har", _session())
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
        file.truncate(LARGEST_FILE_BYTES + 1)
    return {
        "cut": (cut, "is cut off"),
        "empty": (empty, "is empty"),
        "binary": (binary, "is not UTF-8 text"),
        "large": (large, "but at most 4,295 MB can be read: record a shorter session"),
        "missing": (directory / "missing.har", "No such file"),
        "early": (early, "is cut off"),
        "page": (page, "is an HTML or XML file"),
        "other": (other, "no list log.entries"),
        "none": (write(directory / "none.har", []), "has no requests"),
        "static": (
            write(directory / "static.har", _session()[1:3]),
            "has only requests for static files",
        ),
        "letters": (write(directory / "letters.har", "abc"), "has no list log.entries"),
        "odd": (write(directory / "odd.har", [5]), "readable request: request 1: it is"),
    }


@pytest.mark.parametrize(
    "name",
    [
        *("cut", "early", "empty", "binary", "large", "missing", "page", "other", "none"),
        *("static", "letters", "odd"),
    ],
)
def test_record_says_in_one_sentence_what_is_wrong(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, words = _bad_recordings(tmp_path)[name]
    assert run_record(path, "--output", tmp_path / "made.py") == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (tmp_path / "made.py").exists()


def test_record_of_another_site_names_the_sites_it_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    har = write(tmp_path / "session.har", _session())
    arguments = ("--host", "https://mine.example", "--output", tmp_path / "made.py")
    assert run_record(har, *arguments) == 2
    said = capsys.readouterr().err
    assert "has no request to https://mine.example" in said
    assert SITE in said


def test_record_leaves_large_binary_bodies_out(tmp_path: Path) -> None:
    binary = base64.b64encode(bytes(range(256)) * 40_000).decode()
    content = {"text": binary, "encoding": "base64"}
    files = [
        entry(number, "GET", f"/files/{number}", mime="application/pdf", content=content)
        for number in range(1, 4)
    ]
    har = write(tmp_path / "session.har", [entry(0, "GET", "/"), *files])
    assert har.stat().st_size > 30_000_000
    made = tmp_path / "made.py"
    assert run_record(har, "--output", made) == 0
    assert made.stat().st_size < 10_000


def test_record_overwrites_no_file_that_was_not_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "locustfiles" / "session.py"
    mine.parent.mkdir()
    mine.write_text("mine")
    assert run_record(write(tmp_path / "session.har", _session())) == 2
    assert "exists already" in capsys.readouterr().err
    assert mine.read_text() == "mine"


def test_a_large_recording_is_read_piece_by_piece_to_the_same_locustfile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "whole.har", _session())
    assert run_record(path, "--output", tmp_path / "whole.py") == 0
    monkeypatch.setattr(har, "LARGEST_BYTES", path.stat().st_size - 1)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert run_record(path, "--output", tmp_path / "pieces.py") == 0
    assert (tmp_path / "pieces.py").read_text() == (tmp_path / "whole.py").read_text()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text[:-200], "is cut off"),
        (lambda text: text.replace('"request"', "request", 1), "is not a HAR file"),
        (lambda _: "\0" * 3000, "is not a HAR file"),
        (lambda text: text.replace('"entries"', '"other"', 1), "has no requests"),
    ],
)
def test_a_large_recording_that_is_none_is_said_in_one_sentence(
    change: Callable[[str], str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(har, "LARGEST_BYTES", 1000)
    path = write(tmp_path / "large.har", _session())
    path.write_text(change(path.read_text()))
    assert run_record(path, "--output", tmp_path / "made.py") == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_more_text_than_can_be_held_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(har, "LARGEST_BYTES", 100)
    path = write(tmp_path / "large.har", _session())
    assert run_record(path, "--output", tmp_path / "made.py") == 2
    assert (
        "text in its responses, which is the most that can be read: record a shorter "
        "session" in capsys.readouterr().err
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_recording_that_another_system_encoded_is_read(encoding: str, tmp_path: Path) -> None:
    path = write(tmp_path / "whole.har", _session())
    path.write_bytes(path.read_text().encode(encoding))
    assert run_record(path, "--output", tmp_path / "made.py") == 0


def test_a_header_without_a_name_and_a_time_that_is_none_spoil_no_request(tmp_path: Path) -> None:
    odd = entry(0, "GET", "/a", headers={"": "x", "x-kept": "1"}) | {"time": float("nan")}
    assert run_record(write(tmp_path / "odd.har", [odd]), "--output", tmp_path / "made.py") == 0
    assert '"/a"' in (tmp_path / "made.py").read_text()
