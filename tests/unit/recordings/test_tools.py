"""Recordings as other tools save them: what they are kept in, lack, and write into odd places."""

import gzip
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.unit.recordings.hars import Entry, entry, run_record, write

TITLE = {"text": "<title>Shop</title>"}
JSON = {"content-type": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}


def _home() -> Entry:
    return entry(0, "GET", "/", content=TITLE)


def _made(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    """Return the made source and what was said."""
    output = path.parent / "made.py"
    assert run_record(path, "--output", output) == 0, capsys.readouterr().err
    return output.read_text(), capsys.readouterr().out


def _of(entries: list[Any], directory: Path, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    return _made(write(directory / "shop.har", entries), capsys)


def _text(entries: list[Any]) -> bytes:
    return json.dumps({"log": {"version": "1.2", "entries": entries}}).encode()


# --- what it is kept in ----------------------------------------------------------------------


def _zip(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def _in_files() -> tuple[dict[str, bytes], list[Entry]]:
    """Return bodies in files named after their SHA-1, and entries that name them."""
    answer, posted = b"<title>In a file</title>", b'{"note": "kept apart"}'
    names = [f"{hashlib.sha1(one).hexdigest()}.x" for one in (answer, posted)]  # noqa: S324 - a name
    page = entry(0, "GET", "/")
    page["response"]["content"] = {"mimeType": "text/html", "_file": names[0]}
    sent = entry(1, "POST", "/sent", headers=JSON)
    sent["request"]["postData"] = {"mimeType": "application/json", "_file": names[1]}
    return dict(zip(names, (answer, posted), strict=True)), [page, sent]


def test_a_gzip_and_a_zip_with_one_recording_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = {
        "a.har.gz": gzip.compress(_text([_home()])),
        "b.zip": _zip({"b.har": _text([_home()])}),
    }
    for name, content in packed.items():
        (tmp_path / name).write_bytes(content)
        assert 'contains="Shop"' in _made(tmp_path / name, capsys)[0]


@pytest.mark.parametrize("kept", ["zip", "directory", "nowhere"])
def test_bodies_in_files_of_their_own_are_read_and_named_if_they_are_gone(
    kept: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, entries = _in_files()
    path = tmp_path / "shop.har"
    path.write_bytes(_text([*entries, entry(2, "GET", "/more")]))
    if kept == "zip":
        path.write_bytes(_zip({"har.har": _text(entries), **files}))
    elif kept == "directory":
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
    source, said = _made(path, capsys)
    assert ('"note": "kept apart"' in source) == (kept != "nowhere")
    assert ('contains="In a file"' in source) == (kept != "nowhere")
    assert said.count("in a file that is not beside the recording") == 2 * (kept == "nowhere")


def test_a_recording_names_no_other_files_of_the_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = tmp_path / "recordings"
    directory.mkdir()
    for place in (tmp_path, directory):
        (place / "secret.txt").write_text("S3cret of the machine")
    (directory / ("a" * 40)).symlink_to("secret.txt")
    names = ["../secret.txt", "secret.txt", "/etc/hostname", "a" * 40]
    sent = [entry(1, "POST", "/sent") for _ in names]
    for one, name in zip(sent, names, strict=True):
        one["request"]["postData"] = {"mimeType": "text/plain", "_file": name}
    source, said = _of([_home(), *sent], directory, capsys)
    assert "S3cret" not in source
    assert said.count("not beside the recording") == len(names)


OTHERS = {
    "Postman": (b'{"info": {"name": "c"}, "item": []}', "Postman collection"),
    "Insomnia": (b'{"_type": "export", "__export_format": 4}', "Insomnia: export it as HAR"),
    "Charles": (b'[{"protocolVersion": "HTTP/1.1"}]', "Charles as HTTP Archive (HAR)"),
    "Fiddler": (_zip({"raw/1_c.txt": b""}), "export the sessions from Fiddler"),
    "mitmproxy": (b"2045:9:websocket;0:~8:response;", "--set hardump=session.har"),
    "several in a list": (b'[{"log": {"entries": []}}]', "give one HAR file"),
    "several in a zip": (_zip({"a.har": b"{}", "b.har": b"{}"}), "2 HAR files in it"),
    "a zip of others": (_zip({"a.txt": b"{}"}), "no HAR file in it"),
    "two in a row": (_text([]) * 2, "goes on after its end (line 1)"),
    "OpenAPI": (b'{"openapi": "3.0.0"}', "loadgen scaffold"),
    "OpenAPI as YAML": (b"openapi: 3.0.0\n", "loadgen scaffold"),
    "access log": (b'192.0.2.1 - - [10/Oct/2026:13:55:36 +0000] "GET /"', "loadgen mix"),
    "packets": (b"\xd4\xc3\xb2\xa1\x02\x00", "network packets"),
    "page": (b"<!doctype html><html>", "an HTML or XML file"),
    "blanks": (b" \n ", "is empty"),
    "cut gzip": (gzip.compress(_text([_home()]))[:-20], "can't be unpacked"),
    "cut zip": (_zip({"a.har": b"{}"})[:-10], "can't be unpacked"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_recording_is_named_with_the_next_step(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, words = OTHERS[kind]
    path = tmp_path / "shop.har"
    path.write_bytes(content)
    assert run_record(path, "--output", tmp_path / "made.py") == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


# --- odd values ------------------------------------------------------------------------------


def test_times_with_and_without_a_zone_go_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [entry(number, "GET", f"/{name}") for number, name in enumerate("abcd")]
    times = ["T10:00:00", "T12:00:02+02:00", "T05:00:04.123456789-05:00", "T10:00:06Z"]
    for one, time in zip(entries, times, strict=True):
        one["startedDateTime"] = f"2026-11-20{time}"
    source, said = _of(entries, tmp_path, capsys)
    assert "4 requests" in said
    assert source.count("self.think(1.") == 3


def test_odd_numbers_cost_no_request_and_no_pause(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd: list[Any] = [float("nan"), float("inf"), -5, 1e300, 10**400, "soon", None, [1]]
    entries = [entry(number, "GET", f"/{number}") for number in range(len(odd))]
    for one, value in zip(entries, odd, strict=True):
        one["time"] = one["request"]["bodySize"] = value
        one["_webSocketMessages"] = None
    source, said = _of([*entries, entry(len(odd), "GET", "/after")], tmp_path, capsys)
    assert "9 requests" in said
    assert "left out" not in said
    assert source.count("self.think(") == len(odd)


def test_halves_of_surrogate_pairs_are_sent_as_browsers_send_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [
        entry(0, "GET", "/", content={"text": "<title>a\ud83d</title>"}),
        entry(
            1, "POST", "/a", headers={"content-type": "text/plain", "x-a\ud800": "1"}, body="\ud800"
        ),
    ]
    source, _ = _of(entries, tmp_path, capsys)
    assert 'data="\ufffd"' in source


def test_headers_that_http_cannot_carry_are_left_out_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = {"bad name": "1", "x:y": "2", "\xfcn\xef": "3", "x-line": "a\r\nb: 1", "x-euro": "\u20ac"}
    good = {"x-latin": "caf\xe9", "x-empty": "", "x-plain": "1"}
    source, said = _of([_home(), entry(1, "GET", "/a", headers=odd | good)], tmp_path, capsys)
    assert "left out: headers that can't be sent over HTTP: bad name, x-euro, x-line, x:y" in said
    for name in odd:
        assert f'"{name}"' not in source
    for name in good:
        assert f'"{name}"' in source


def test_interim_answers_are_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = [_home(), *(entry(1, "GET", f"/{one}", status=one) for one in (100, 102, 103))]
    _, said = _of(entries, tmp_path, capsys)
    assert said.count("the recording has no answer to it") == 3


def test_an_answer_that_nests_deeply_spoils_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deep = entry(
        1, "GET", "/deep", mime="application/json", content={"text": "[" * 9000 + "]" * 9000}
    )
    _, said = _of([_home(), deep, entry(2, "GET", "/items/12")], tmp_path, capsys)
    assert "3 requests" in said


def test_numbers_that_would_change_are_sent_as_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bodies = [f'{{"a": {one}}}' for one in ("1e400", "0.12345678901234567890", "NaN", "-1E-999")]
    sent = [
        entry(1, "POST", f"/{number}", headers=JSON, body=one) for number, one in enumerate(bodies)
    ]
    source, _ = _of([_home(), *sent], tmp_path, capsys)
    for body in bodies:
        assert f"data='{body}'" in source


def test_what_went_to_no_web_site_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = ["blob:https://site.example/1", "data:image/png;base64,AA", "about:blank"]
    entries = [_home(), *(entry(1, "GET", "", site=one) for one in others)]
    _, said = _of(entries, tmp_path, capsys)
    assert "left out: 3 requests that are not HTTP: about, blob, data" in said


def test_two_ways_to_write_an_address_are_one_site(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sites = ["http://[::1]:8080", "http://[0:0:0:0:0:0:0:1]:8080", "HTTP://[0::1]:8080"]
    entries = [entry(number, "GET", "/a", site=one) for number, one in enumerate(sites)]
    source, said = _of(entries, tmp_path, capsys)
    assert "3 requests to http://[::1]:8080" in said
    assert 'host = "http://[::1]:8080"' in source


def test_a_forms_file_is_sent_with_its_bytes_and_its_bare_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = entry(1, "POST", "/up", headers={"content-type": "multipart/form-data"})
    parameters = [
        {"name": "a", "value": "1", "fileName": None},
        {
            "name": "f",
            "value": "its text",
            "fileName": "/home/ann/a.txt",
            "contentType": "text/plain",
        },
        {"name": "g", "fileName": "C:\\Users\\ann\\b.bin"},
    ]
    sent["request"]["postData"] = {"mimeType": "multipart/form-data", "params": parameters}
    source, said = _of([_home(), sent], tmp_path, capsys)
    assert '("f", "a.txt", "text/plain", "its text")' in source
    assert '("g", "b.bin", "application/octet-stream", 10000)' in source
    assert "1 uploads have invented content" in said


# --- secrets and what a new visitor lacks ----------------------------------------------------


HEADERS = """Authentication X-Auth X-Auth-Key X-Access X-Session X-Session-Id X-Csrf Private-Key
Ocp-Apim-Subscription-Key X-Functions-Key Api-Token Apikey X-Client-Secret X-Hub-Signature-256"""
VALUES = [
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "AKIAIOSFODNN7EXAMPLE",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "glpat-abcdefghij0123456789",
    "xoxb-123456789012-abcdef",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOjF9.c2ln",
]


def test_secrets_of_headers_are_taken_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = {name: f"S3cret-{name}" for name in HEADERS.split()}
    entries = [_home(), entry(1, "GET", "/a", headers=headers | {"x-author": "kept"})]
    source, said = _of(entries, tmp_path, capsys)
    assert "S3cret" not in source + said
    for name in headers:
        assert f"secret removed: {name.lower()} of header in /a" in said
    assert '"kept"' in source


def test_a_key_is_known_by_its_form(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = [_home()]
    for number, value in enumerate(VALUES):
        entries.append(entry(number, "GET", f"/a?q{number}={value}x"))
        entries.append(entry(number, "GET", "/b", headers={f"x-h{number}": f"{value}y"}))
        entries.append(entry(number, "POST", "/c", headers=FORM, body=f"f{number}={value}z"))
    source, said = _of(entries, tmp_path, capsys)
    for value in VALUES:
        assert value not in source + said
    for number in range(len(VALUES)):
        for name in (f"Q{number}", f"X_H{number}", f"F{number}"):
            assert f"set RECORDED_{name} before a run" in said


def test_several_secrets_of_one_name_are_numbered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = [
        entry(one, "GET", f"/{one}", headers={"x-key": f"key-{one}-of-ann"}) for one in range(4)
    ]
    _, said = _of([_home(), *keys], tmp_path, capsys)
    for name in ("RECORDED_X_KEY", "RECORDED_X_KEY_2", "RECORDED_X_KEY_3", "RECORDED_X_KEY_4"):
        assert f"set {name} before" in said


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        (
            [
                entry(1, "POST", "/in", headers=FORM, body="user=ann&password=Zebra99"),
                entry(2, "GET", "/reset/Zebra99/go"),
            ],
            "the password of POST /in also occurs",
        ),
        (
            [
                entry(1, "GET", "/a", headers={"authorization": "Basic YW5uOlplYnJhOTk="}),
                entry(2, "POST", "/b", headers={"content-type": "text/plain"}, body="my Zebra99"),
            ],
            "the password in the header Authorization also occurs",
        ),
    ],
    ids=["login", "basic"],
)
def test_a_secret_that_cannot_be_removed_is_named_by_its_place(
    entries: list[Entry], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "shop.har", [_home(), *entries])
    assert run_record(path, "--output", tmp_path / "made.py") == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Zebra99" not in said


def test_tokens_of_cookies_that_a_tool_joined_by_commas_are_live(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Path=/, tok=0123456789abcdef; Path=/"
    page = entry(0, "GET", "/", answer={"set-cookie": line}, content=TITLE)
    entries = [page, entry(1, "GET", "/a", headers={"x-mine": "0123456789abcdef"})]
    assert '"x-mine": self.cookie("tok")' in _of(entries, tmp_path, capsys)[0]


def test_cookies_older_than_the_recording_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [
        entry(0, "GET", "/", headers={"cookie": "sid=1; a=2"}, answer={"set-cookie": "b=1"}),
        entry(1, "GET", "/a", headers={"cookie": "sid=1; a=2; b=1"}),
    ]
    _, said = _of(entries, tmp_path, capsys)
    assert "starts without these cookies, which no recorded response sets: sid, a; if the" in said


def test_what_is_good_only_once_and_a_long_pause_are_to_be_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late = entry(1, "GET", "/late", headers={"authorization": 'Digest username="ann"'})
    late["startedDateTime"] = "2026-11-21T12:00:00Z"
    _, said = _of([_home(), late], tmp_path, capsys)
    assert "check this one: the authorization Digest of GET /late is valid for" in said
    assert "check this one: a pause of 120 minutes before GET /late is kept" in said


def test_json_is_sent_as_compact_as_browsers_send_it() -> None:
    from loadgen.scenario.recorded import _json_text  # noqa: PLC0415 - what it sends, no name of ours

    assert _json_text({"a": [1, "\xe9"]}) == '{"a":[1,"\xe9"]}'
    assert _json_text("\ud800") == '"\\ud800"'
