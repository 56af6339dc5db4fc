"""Whole files of access logs: packed in any way, with heads of their own, or no access logs."""

import bz2
import gzip
import io
import lzma
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from loadgen.access_logs import proxy_lines
from loadgen.access_logs.lines import Hit
from loadgen.access_logs.reading import LogReading
from loadgen.shared.errors import UsageError
from tests.unit.access_logs.test_mix import line, mix

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

LOG = "".join(line(number, f"/a/{number}") for number in range(40)).encode()


def _zip(*contents: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"access.{number}.log", content)
    return packed.getvalue()


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
    "zip": _zip,
}


def _hits(path: Path) -> tuple[list[Hit], LogReading]:
    reading = LogReading()
    return list(reading.hits([path])), reading


@pytest.mark.parametrize("kind", PACKED)
def test_a_packed_log_is_read_whatever_its_name(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(PACKED[kind](LOG))
    hits, reading = _hits(path)
    assert [hit.path for hit in hits] == [f"/a/{number}" for number in range(40)]
    assert (reading.broken, reading.cut) == (0, [])


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
def test_a_packed_log_that_ends_early_is_never_taken_for_whole(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    packed = PACKED[kind](LOG * 20)
    path.write_bytes(packed[: len(packed) * 3 // 4])
    reading = LogReading()
    said = ""
    try:
        list(reading.hits([path]))
    except UsageError as fault:
        said = str(fault)
    assert (
        "is compressed, but it can't be decompressed" in said or "compressed data" in reading.cut[0]
    )


HEAD = "#Software: IIS\n#Version: 1.0\n"
FIELDS = "#Fields: date time cs-method cs-uri-stem cs-uri-query c-ip cs(User-Agent) sc-status\n"
W3C = "2026-10-10 13:55:36 GET /a b=1 192.0.2.1 Fox 200\n"


def test_the_extended_form_follows_its_line_of_fields(tmp_path: Path) -> None:
    path = tmp_path / "u_ex.log"
    other = "#Fields: c-ip date time cs-method cs-uri-stem sc-status\n"
    again = "192.0.2.2\t2026-10-10\t13:55:37\tPOST\t/b\t302\n"
    path.write_text(f"{HEAD}{FIELDS}{W3C}{W3C.replace('b=1', '-')}{HEAD}{other}{again}bad line\n")
    hits, reading = _hits(path)
    assert [(hit.time, hit.method, hit.path, hit.status) for hit in hits] == [
        (1791640536.0, "GET", "/a?b=1", 200),
        (1791640536.0, "GET", "/a", 200),
        (1791640537.0, "POST", "/b", 302),
    ]
    assert len({hit.client for hit in hits}) == 2
    assert (reading.lines, reading.broken) == (4, 1), "lines that begin with # are none"


@pytest.mark.parametrize("asked", ["-", "", "\\x16\\x03\\x01", "quit"])
def test_a_request_that_was_none_is_no_broken_line(
    asked: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "access.log"
    scan = f'192.0.2.9 - - [10/Oct/2026:13:55:36 +0000] "{asked}" 400 5 "-" "-"\n'
    path.write_bytes(scan.encode() + LOG)
    _, reading = _hits(path)
    assert (reading.lines, reading.broken) == (41, 0)
    assert mix(path, "--output", tmp_path / "made.py") == 0
    assert "left out: answered 4xx: 1 (2.4%)" in capsys.readouterr().out


OTHERS = {
    "UTF-16": (LOG.decode().encode("utf-16"), "iconv -f UTF-16"),
    "lz4": (b"\x04\x22\x4d\x18" + bytes(range(99)), "decompress it first, with lz4 -d"),
    "several in a zip": (
        _zip(LOG, LOG),
        "a zip archive with 2 files: unpack it, and give the path of each log",
    ),
    "cut zip": (_zip(LOG)[:-30], "is compressed, but it can't be decompressed"),
    "HAR": (b'{"log": {"entries": []}}', "give it to loadgen record"),
    "JSON list": (b'[{"a": 1}]', "jq -c '.[]'"),
    "JSON over lines": (b'{\n "a": 1\n}', "jq -c ."),
    "IIS without fields": ((HEAD + W3C).encode(), "its line #Fields: is missing"),
    "HAProxy, TCP": (
        b"Feb  6 12:12:56 lb haproxy[1]: 10.0.1.2:3 [06/Feb/2026:12:12:51.443] f b/s 0/0/5 212 --",
        "option httplog",
    ),
    "uvicorn": (b'INFO:     127.0.0.1:5 - "GET /a HTTP/1.1" 200 OK', "which has no times"),
    "runserver": (b'[10/Oct/2026 13:55:36] "GET / HTTP/1.1" 200 2', "doesn't name the clients"),
    "Rails": (b'Started GET "/a" for 127.0.0.1 at 2026-10-10', "a log of Rails"),
    "nginx, errors": (b"2026/10/10 13:55:36 [error] 12#0: *1 open()", "it is an error log"),
    "Apache, errors": (b"[Sat Oct 10 13:55:36.1 2026] [core:error] x", "it is an error log"),
    "logfmt": (b"time=2026-10-10 level=info method=GET path=/a", "it is in the logfmt format"),
    "CSV": (b"timestamp,method,path", "it is a CSV file"),
    "page": (b"<html>", "an HTML or XML file"),
    "bytes": (b"\x01\x02\x03\xff", "it is not text"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_no_access_log_is_named_with_the_next_step(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, words = OTHERS[kind]
    path = tmp_path / "access.log"
    path.write_bytes(content)
    assert mix(path, "--output", tmp_path / "made.py") == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "lacks"),
    [
        ('1.2.3.4 - - [26/Nov/2026:10:00:00 +0100] "GET / HTTP/1.1" 200 5', False),
        ('1.2.3.4 - - [26/Nov/2026:10:00:00] "GET / HTTP/1.1" 200 5', True),
        ('{"time":"2026-11-26T10:00:00","method":"GET","path":"/","status":200}', True),
        ('{"time":"2026-11-26T10:00:00Z","method":"GET","path":"/","status":200}', False),
        ('{"time":1795687200.5,"method":"GET","path":"/","status":200}', False),
    ],
)
def test_a_log_whose_times_have_no_zone_is_noted(line: str, lacks: bool, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text(f"{line}\n" * 3)
    hits, reading = _hits(path)
    assert len(hits) == 3
    assert reading.zoneless == ([path] if lacks else [])


def test_a_proxys_time_without_a_zone_does_not_depend_on_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert proxy_lines._moment("2026-11-26T10:00:00.5") == 1795687200.5
    finally:
        monkeypatch.undo()
        time.tzset()
