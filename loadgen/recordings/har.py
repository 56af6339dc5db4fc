"""Reads HAR files (http://www.softwareishard.com/blog/har-12-spec), whatever tool saved them.

One odd request doesn't spoil a recording: it is left out and named.
"""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from loadgen.recordings import packed
from loadgen.recordings.entry import Pair, WrittenEntry
from loadgen.recordings.other_files import kind_of_bytes, kind_of_document
from loadgen.shared.errors import UsageError, why_unread
from loadgen.shared.origin import origin
from loadgen.shared.request_names import group_path
from loadgen.shared.text import plain_line, require_few_values

_SAVE = "give the path of a session saved as HAR in the browser's developer tools (Network)"
_NOT_BESIDE = "the body is in a file that is not beside the recording"
LARGEST_BYTES = 128 * 1024 * 1024
"""Up to this a file is read as a whole; of a larger one at most so much text is kept."""
LEFT_OUT_MAX = 100_000
VALUES_MAX = 60_000_000
"""Of what is held in memory as a whole; a list or a map counts as twenty."""
LARGEST_FILE_BYTES = 4 * 1024**3
LONGEST_SHOWN = 80
STATIC_MIME = ("text/css", "image/", "font/", "audio/", "video/", "application/font")
_INTERIM = {"100", "102", "103"}
NO_ANSWER = {None, 0, -1, "", "0"}
Entry = dict[str, Any]


@dataclass
class Recording:
    """A HAR file: `entries` are whole ones; `left_out` names each odd one with the reason."""

    path: Path
    entries: list[Entry]
    left_out: list[str]


def read(path: Path) -> Recording:
    """Return a HAR file's requests. Raises UsageError, one sentence, when it is none."""
    whole, left_out, kept = [], [], 0
    attached = packed.attached_to(path, LARGEST_BYTES)
    for number, entry in enumerate(_entries(path), 1):
        lost = packed.bring_bodies(entry, attached)
        fault, cleaned = _cleaned(entry)
        shown = f"request {number}{_shown(entry)}"
        if cleaned is None or "request" in lost:
            left_out.append(f"{shown}: {fault or _NOT_BESIDE}")
            if len(left_out) > LEFT_OUT_MAX:
                raise UsageError(
                    f"recording {path} has more than {LEFT_OUT_MAX:,} requests that can't be read: "
                    f"{left_out[0]}; {_SAVE}"
                )
            continue
        if "response" in lost and not is_static_type(cleaned["response"]["content"]["mimeType"]):
            left_out.append(f"the answer's body of {shown}: {_NOT_BESIDE}")
        whole.append(cleaned)
        kept += len(cleaned["response"]["content"]["text"])
        if kept > LARGEST_BYTES:
            raise UsageError(
                f"recording {path} has more than {LARGEST_BYTES / 1e6:.0f} MB of text in "
                f"its responses, which is the most that can be read: record a shorter session"
            )
    if not whole and not left_out:
        raise UsageError(
            f"recording {path} has no requests: begin to record before the first page is loaded"
        )
    if not whole:
        raise UsageError(
            f"recording {path} has no readable request: {left_out[0]}; save the session"
            " again, as HAR"
        )
    return Recording(path, whole, left_out)


def _entries(path: Path) -> Iterable[object]:
    """Return a file's entries; those of a large file come one by one."""
    try:
        content, was_packed = packed.content_of(path, LARGEST_BYTES)
    except OSError as fault:
        raise UsageError(f"recording {path} can't be read: {why_unread(fault)}; {_SAVE}") from fault
    if len(content) > LARGEST_BYTES or not _holds_few(content):
        if was_packed:
            raise UsageError(
                f"recording {path} has more than {LARGEST_BYTES / 1e6:.0f} MB, or more than "
                f"{VALUES_MAX / 1e6:.0f} million values, when it is unpacked: unpack it yourself, "
                "and give the HAR file"
            )
        return _streamed(path)
    document = _document(path, content)
    log = document.get("log") if isinstance(document, dict) else None
    entries = log.get("entries") if isinstance(log, dict) else None
    if not isinstance(entries, list):
        kind = kind_of_document(document)
        raise UsageError(
            f"recording {path} is {kind}"
            if kind
            else f"recording {path} is a JSON file but not a HAR file: it has no list log.entries; "
            f"{_SAVE}"
        )
    return entries


def _holds_few(content: bytes) -> bool:
    try:
        require_few_values(content, VALUES_MAX)
    except ValueError:
        return False
    return True


def _document(path: Path, content: bytes) -> object:
    try:
        return json.loads(content)
    except RecursionError as fault:
        raise UsageError(
            f"recording {path} is not a readable HAR file: its JSON is nested too deeply"
        ) from fault
    except ValueError as fault:
        kind = kind_of_bytes(content)
        if kind:
            raise UsageError(f"recording {path} is {kind}") from fault
        if isinstance(fault, UnicodeDecodeError):
            raise UsageError(
                f"recording {path} is not UTF-8 text, so it is not a HAR file; {_SAVE}"
            ) from fault
        if isinstance(fault, json.JSONDecodeError):
            raise UsageError(_broken(path, content, fault)) from fault
        raise UsageError(f"recording {path} is not a HAR file: {fault}") from fault


def _streamed(path: Path) -> Iterator[object]:
    """Yield the entries of a file that is larger than what is held in memory as a whole."""
    if path.stat().st_size > LARGEST_FILE_BYTES:
        raise UsageError(
            f"recording {path} has {path.stat().st_size / 1e6:,.0f} MB, but at most"
            f" {LARGEST_FILE_BYTES / 1e6:,.0f} MB can be read: record a shorter session, "
            f"or save it without the bodies of files"
        )
    # It comes with har2locust: only the machine that makes locustfiles has it.
    try:
        import ijson  # noqa: PLC0415
    except ImportError as fault:
        raise UsageError(
            f"recording {path} has more than {LARGEST_BYTES / 1e6:.0f} MB, which needs the package"
            " ijson: make .venv/.controller installs it"
        ) from fault
    try:
        with path.open("rb") as file:
            if file.read(len(BOM_UTF8)) != BOM_UTF8:
                file.seek(0)
            yield from ijson.items(file, "log.entries.item", use_float=True)
    except OSError as fault:
        raise UsageError(f"recording {path} can't be read: {why_unread(fault)}; {_SAVE}") from fault
    except (ijson.JSONError, ValueError, RecursionError) as fault:
        if re.search("premature|incomplete", str(fault), re.IGNORECASE):
            raise UsageError(f"recording {path} is cut off: save the session again") from fault
        reason = plain_line(str(fault).partition("\n")[0])[:LONGEST_SHOWN]
        raise UsageError(f"recording {path} is not a HAR file: {reason}") from fault


def _cleaned(entry: object) -> tuple[str, Entry | None]:
    """Return why an entry can't be used, or the entry with what this kit reads of it."""
    if not isinstance(entry, dict):
        return "it is not a request", None
    answer = entry.get("response", "")
    if answer is None or (isinstance(answer, dict) and _unanswered(answer)):
        return "the recording has no answer to it", None
    try:
        made = WrittenEntry.model_validate(entry)
    except ValidationError as fault:
        place = ".".join(map(str, fault.errors()[0]["loc"]))
        return f"its {place} is missing or can't be read", None
    try:
        if urlsplit(made.request.url).scheme in {"http", "https", "ws", "wss"}:
            origin(made.request.url)
    except ValueError:
        return "its address can't be read", None
    if not made.request.url.isprintable():
        return "its address has a control character", None
    made.request.cookies += _sent_cookies(made.request.headers)
    if is_static_type(made.response.content.mime_type):
        # No value is searched in such bodies, and they are the largest part of a large recording.
        made.response.content.text = ""
    return "", made.model_dump(by_alias=True, mode="json", exclude_none=True)


def is_static_type(mime: str) -> bool:
    """Tell whether an answer of this media type is a static file."""
    return mime.lower().startswith(STATIC_MIME) or "javascript" in mime.lower()


def _sent_cookies(headers: list[Pair]) -> list[Pair]:
    """Return the header Cookie's pairs: har2locust takes that header out before we see it."""
    lines = ";".join(one.value for one in headers if one.name.lower() == "cookie")
    pairs = (piece.partition("=") for piece in lines.split(";"))
    return [
        Pair(name=name.strip(), value=value.strip()) for name, _, value in pairs if name.strip()
    ]


def _unanswered(answer: dict[str, Any]) -> bool:
    status = answer.get("status", 0 if answer else None)
    if not isinstance(status, str | int | None):
        return False
    # An interim answer (1xx) is followed by one that the recording lacks.
    return status in NO_ANSWER or str(status) in _INTERIM


def _shown(entry: object) -> str:
    """Return method and path of an entry as they may be printed: no query, no password."""
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(request, dict):
        return ""
    address = re.sub(r"//[^/?#]*@", "//", str(request.get("url"))).partition("?")[0]
    with suppress(ValueError):
        address = group_path(urlsplit(address).path) or "/"
    shown = plain_line(f"{request.get('method')} {address}")
    return f", {shown[:LONGEST_SHOWN]}"


def _broken(path: Path, content: bytes, fault: json.JSONDecodeError) -> str:
    if not content.strip():
        return f"recording {path} is empty: save the session again"
    if fault.msg == "Extra data":
        return (
            f"recording {path} goes on after its end (line {fault.lineno}), so it is "
            f"not one HAR file: give a file that holds a single recording"
        )
    if fault.pos >= len(fault.doc.rstrip()) - 1 or "Unterminated" in fault.msg:
        return f"recording {path} is cut off (at line {fault.lineno}): save the session again"
    return f"recording {path} is not a HAR file: {fault.msg} at line {fault.lineno}; {_SAVE}"
