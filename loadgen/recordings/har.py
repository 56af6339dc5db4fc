"""Reads HAR files (http://www.softwareishard.com/blog/har-12-spec), whatever tool saved them.

One odd request doesn't spoil a recording: it is left out and named.
"""

import json
import math
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from loadgen.shared.errors import UsageError, why_unread
from loadgen.shared.origin import origin
from loadgen.shared.request_names import group_path
from loadgen.shared.text import plain_line

_SAVE = "give the path of a session saved as HAR in the browser's developer tools (Network)"
LARGEST_BYTES = 128 * 1024 * 1024
"""Up to this a file is read as a whole; of a larger one at most so much text is kept."""
LARGEST_FILE_BYTES = 4 * 1024**3
LONGEST_SHOWN = 80
STATIC_MIME = ("text/css", "image/", "font/", "audio/", "video/", "application/font")
NO_ANSWER = {None, 0, -1, "", "0"}
Entry = dict[str, Any]


def _or_empty(value: object) -> object:
    return "" if value is None else value


def _or_none(value: object) -> object:
    return [] if value is None else value


def _finite(value: object) -> object:
    return value if not isinstance(value, float) or math.isfinite(value) else None


Text = Annotated[str, BeforeValidator(_or_empty)]


class _Part(BaseModel):
    """What all parts of an entry have in common: tools write numbers for texts, and add fields."""

    model_config = ConfigDict(
        extra="ignore",
        coerce_numbers_to_str=True,
        alias_generator=to_camel,
        populate_by_name=True,
        allow_inf_nan=False,
    )


class _Pair(_Part):
    name: str = Field(min_length=1)
    value: Text = ""


class _Parameter(_Pair):
    file_name: Text = ""
    content_type: Text = ""


def _named(value: object) -> object:
    """Leave out pairs that have no name, which some tools write."""
    if not isinstance(value, list):
        return _or_none(value)
    return [one for one in value if not (isinstance(one, dict) and one.get("name") in ("", None))]


Pairs = Annotated[list[_Pair], BeforeValidator(_named)]


class _Posted(_Part):
    mime_type: Text = ""
    text: Text = ""
    encoding: Text = ""
    params: Annotated[list[_Parameter], BeforeValidator(_or_none)] = []


class _Request(_Part):
    method: str = Field(pattern=r"^[A-Za-z][A-Za-z-]*$")
    url: str = Field(min_length=1)
    headers: Pairs = []
    cookies: Pairs = []
    body_size: float | None = None
    post_data: _Posted | None = None


class _Content(_Part):
    mime_type: Text = ""
    text: Text = ""
    encoding: Text = ""


class _Response(_Part):
    status: int = Field(ge=100, le=999)
    headers: Pairs = []
    cookies: Pairs = []
    content: Annotated[_Content, BeforeValidator(lambda value: {} if value is None else value)] = (
        _Content()
    )
    redirect_url: Text = Field(default="", alias="redirectURL")


class _Message(_Part):
    type: str
    time: float
    opcode: int = 1
    data: Text = ""


class _Entry(_Part):
    started_date_time: datetime
    time: Annotated[float | None, BeforeValidator(_finite)] = None
    request: _Request
    response: _Response
    resource_type: str | None = Field(default=None, alias="_resourceType")
    messages: list[_Message] = Field(default=[], alias="_webSocketMessages")


@dataclass
class Recording:
    """A HAR file: `entries` are whole ones; `left_out` names each odd one with the reason."""

    path: Path
    entries: list[Entry]
    left_out: list[str]


def read(path: Path) -> Recording:
    """Return a HAR file's requests. Raises UsageError, one sentence, when it is none."""
    whole, left_out, kept = [], [], 0
    for number, entry in enumerate(_entries(path), 1):
        fault, cleaned = _cleaned(entry)
        if cleaned is None:
            left_out.append(f"request {number}{_shown(entry)}: {fault}")
            continue
        whole.append(cleaned)
        kept += len(cleaned["response"]["content"]["text"])
        if kept > LARGEST_BYTES:
            raise UsageError(
                f"recording {path} has more than {LARGEST_BYTES / 1e6:.0f} MB of pages and other"
                " answers that are text: record a shorter session"
            )
    if not whole and not left_out:
        raise UsageError(
            f"recording {path} has no requests: begin to record before the first page is loaded"
        )
    if not whole:
        raise UsageError(
            f"recording {path} has no request that can be read: {left_out[0]}; save the session"
            " again, as HAR"
        )
    return Recording(path, whole, left_out)


def _entries(path: Path) -> Iterable[object]:
    """Return a file's entries; those of a large file come one by one."""
    size = 0
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        size = len(content)
        if size > LARGEST_BYTES:
            return _streamed(path)
        entries = json.loads(content)["log"]["entries"]
    except OSError as fault:
        raise UsageError(f"recording {path} can't be read: {why_unread(fault)}; {_SAVE}") from fault
    except UnicodeDecodeError as fault:
        raise UsageError(f"recording {path} is not UTF-8 text, so it is no HAR file") from fault
    except json.JSONDecodeError as fault:
        raise UsageError(_broken(path, size, fault)) from fault
    except RecursionError as fault:
        raise UsageError(f"recording {path} is no HAR file: it nests too deeply") from fault
    except ValueError as fault:
        raise UsageError(f"recording {path} is no HAR file: {fault}") from fault
    except (KeyError, TypeError, IndexError) as fault:
        entries = fault
    if not isinstance(entries, list):
        raise UsageError(
            f"recording {path} is JSON but no HAR file: it has no list log.entries"
        ) from (entries if isinstance(entries, Exception) else None)
    return entries


def _streamed(path: Path) -> Iterator[object]:
    """Yield the entries of a file that is larger than what is held in memory as a whole."""
    if path.stat().st_size > LARGEST_FILE_BYTES:
        raise UsageError(
            f"recording {path} has {path.stat().st_size / 1e6:,.0f} MB; at most"
            f" {LARGEST_FILE_BYTES / 1e6:,.0f} MB are read: record a shorter session, or save it"
            " without response bodies of files"
        )
    # It comes with har2locust: only the machine that makes locustfiles has it.
    try:
        import ijson  # noqa: PLC0415
    except ImportError as fault:
        raise UsageError(
            f"recording {path} has more than {LARGEST_BYTES / 1e6:.0f} MB, which needs the package"
            " ijson: use make record HAR=FILE, which installs it"
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
            raise UsageError(
                f"recording {path} ends in the middle: save the session again"
            ) from fault
        reason = plain_line(str(fault).partition("\n")[0])[:LONGEST_SHOWN]
        raise UsageError(f"recording {path} is no HAR file: {reason}") from fault


def _cleaned(entry: object) -> tuple[str, Entry | None]:
    """Return why an entry can't be used, or the entry with what this kit reads of it."""
    if not isinstance(entry, dict):
        return "it is no request", None
    answer = entry.get("response", "")
    if answer is None or (isinstance(answer, dict) and _unanswered(answer)):
        return "the recording has no answer to it", None
    try:
        made = _Entry.model_validate(entry)
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
        # Nothing is looked for in it, and most of a large recording is of this kind.
        made.response.content.text = ""
    return "", made.model_dump(by_alias=True, mode="json", exclude_none=True)


def is_static_type(mime: str) -> bool:
    """Tell whether an answer of this media type is a static file."""
    return mime.lower().startswith(STATIC_MIME) or "javascript" in mime.lower()


def _sent_cookies(headers: list[_Pair]) -> list[_Pair]:
    """Return the header Cookie's pairs: har2locust takes that header out before we see it."""
    lines = ";".join(one.value for one in headers if one.name.lower() == "cookie")
    pairs = (piece.partition("=") for piece in lines.split(";"))
    return [
        _Pair(name=name.strip(), value=value.strip()) for name, _, value in pairs if name.strip()
    ]


def _unanswered(answer: dict[str, Any]) -> bool:
    status = answer.get("status", 0 if answer else None)
    return isinstance(status, str | int | None) and status in NO_ANSWER


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


def _broken(path: Path, size: int, fault: json.JSONDecodeError) -> str:
    if not size:
        return f"recording {path} is empty: save the session again"
    if fault.pos >= len(fault.doc.rstrip()) - 1 or "Unterminated" in fault.msg:
        return f"recording {path} ends in the middle (line {fault.lineno}): save the session again"
    return f"recording {path} is no HAR file: {fault.msg} at line {fault.lineno}"
