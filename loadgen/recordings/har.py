"""Reads HAR files (http://www.softwareishard.com/blog/har-12-spec), from Chromium and Firefox."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

from loadgen.scenario.extractors import Seen
from loadgen.shared.errors import UsageError

LARGEST_BYTES = 128 * 1024 * 1024
STATIC_TYPES = {"stylesheet", "script", "image", "font", "media", "manifest", "texttrack", "ping"}
STATIC_MIME = ("text/css", "image/", "font/", "audio/", "video/", "application/font")
STATIC_ENDINGS = """.css .js .mjs .map .png .jpg .jpeg .gif .svg .webp .avif .ico .woff .woff2 .ttf
.otf .eot .mp4 .webm .mp3 .webmanifest"""
REDIRECTS = {301, 302, 303, 307, 308}
Entry = dict[str, Any]


@dataclass
class Exchange:
    """A request with its answer. `started` and `ended` are Unix seconds.

    `body` is the request's text; None when there was none or the recording lacks it (`lost_bytes`
    is then the size that was sent).
    """

    method: str
    url: SplitResult
    headers: dict[str, str]
    body: str | None
    status: int
    answer: Seen
    started: float
    ended: float
    document: bool
    lost_bytes: int = 0
    parameters: list[Mapping[str, str]] = field(default_factory=list)

    @property
    def path(self) -> str:
        """The path with the query."""
        query = f"?{self.url.query}" if self.url.query else ""
        return (self.url.path or "/") + query

    @property
    def content_type(self) -> str:
        """The request's media type, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def answer_type(self) -> str:
        """The answer's media type, without parameters."""
        return self.answer.headers.get("content-type", "").partition(";")[0].strip().lower()


def read(path: Path) -> dict[str, Any]:
    """Return a HAR file's content. Raises UsageError, one sentence, when it is none."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        size = max(len(content), path.stat().st_size)
        if size > LARGEST_BYTES:
            raise UsageError(
                f"recording {path} has {size / 1e6:.0f} MB; at most {LARGEST_BYTES / 1e6:.0f} MB"
                " are read: record a shorter session, or save it without response bodies of files"
            )
        har = json.loads(content.decode("utf-8-sig"))
        entries = list(har["log"]["entries"])
    except OSError as fault:
        raise UsageError(f"recording {path} can't be read: {fault.strerror}") from fault
    except UnicodeDecodeError as fault:
        raise UsageError(f"recording {path} is not UTF-8 text, so it is no HAR file") from fault
    except json.JSONDecodeError as fault:
        raise UsageError(_broken(path, size, fault)) from fault
    except RecursionError as fault:
        raise UsageError(f"recording {path} is no HAR file: it nests too deeply") from fault
    except ValueError as fault:
        raise UsageError(f"recording {path} is no HAR file: {fault}") from fault
    except (KeyError, TypeError) as fault:
        raise UsageError(
            f"recording {path} is JSON but no HAR file: it has no list log.entries"
        ) from fault
    if not entries:
        raise UsageError(
            f"recording {path} has no requests: begin to record before the first page is loaded"
        )
    for number, entry in enumerate(entries, 1):
        _require_whole(path, number, entry)
    har["log"].setdefault("version", "1.2")
    return dict(har)


def _require_whole(path: Path, number: int, entry: Entry) -> None:
    """Raise UsageError when an entry lacks what the HAR format says that it has."""
    try:
        request, response = entry["request"], entry["response"]
        texts = (request["url"], request["method"])
        pairs = [*request.get("headers", []), *response.get("headers", [])]
        texts += tuple(one[key] for one in pairs for key in ("name", "value"))
        datetime.fromisoformat(entry["startedDateTime"].replace("Z", "+00:00"))
        int(response["status"])
        urlsplit(request["url"])
        whole = all(isinstance(text, str) for text in texts)
    except (KeyError, TypeError, AttributeError, ValueError):
        whole = False
    if not whole:
        raise UsageError(
            f"recording {path} is no HAR file: its request {number} lacks an address, a method, a"
            " status or a time; save the session again, as HAR"
        )


def _broken(path: Path, size: int, fault: json.JSONDecodeError) -> str:
    if not size:
        return f"recording {path} is empty: save the session again"
    if fault.pos >= len(fault.doc.rstrip()) - 1 or "Unterminated" in fault.msg:
        return f"recording {path} ends in the middle (line {fault.lineno}): save the session again"
    return f"recording {path} is no HAR file: {fault.msg} at line {fault.lineno}"


def is_load(entry: Entry) -> bool:
    """Tell whether an entry is a request worth replaying: answered, and no static file."""
    request, response = entry["request"], entry["response"]
    url = urlsplit(request["url"])
    if url.scheme not in {"http", "https"} or request["method"] in {"OPTIONS", "CONNECT"}:
        return False
    if int(response.get("status", 0)) <= 0:
        return False
    return not _is_static(entry, url)


def _is_static(entry: Entry, url: SplitResult) -> bool:
    if entry.get("_resourceType") in STATIC_TYPES | {"websocket"}:
        return True
    sent = _lower(entry["request"].get("headers", []))
    if sent.get("sec-fetch-dest") in {"style", "script", "image", "font", "audio", "video"}:
        return True
    if url.path.lower().endswith(tuple(STATIC_ENDINGS.split())):
        return True
    mime = str(entry["response"].get("content", {}).get("mimeType", "")).lower()
    return mime.startswith(STATIC_MIME) or "javascript" in mime


def exchange(entry: Entry) -> Exchange:
    """Return an entry's exchange."""
    request, response = entry["request"], entry["response"]
    headers = _lower(request.get("headers", []))
    answer = _lower(response.get("headers", []))
    content = response.get("content", {})
    answer.setdefault("content-type", str(content.get("mimeType", "")))
    posted = request.get("postData") or {}
    body = posted.get("text")
    started = datetime.fromisoformat(entry["startedDateTime"].replace("Z", "+00:00")).timestamp()
    made = Exchange(
        method=request["method"].upper(),
        url=urlsplit(request["url"]),
        headers=headers,
        body=body or None,
        status=int(response["status"]),
        answer=Seen(answer, _text(content)),
        started=started,
        ended=started + max(float(entry.get("time") or 0), 0) / 1000,
        document=_is_document(entry, headers),
        parameters=list(posted.get("params") or []),
    )
    if made.method in {"POST", "PUT", "PATCH"} and not body:
        made.lost_bytes = max(int(request.get("bodySize") or 0), 0)
    return made


def _text(content: Mapping[str, Any]) -> str:
    text = str(content.get("text") or "")
    if content.get("encoding") != "base64":
        return text
    try:
        return base64.b64decode(text).decode()
    except (binascii.Error, ValueError):
        # Binary: nothing in it is looked for.
        return ""


def _is_document(entry: Entry, headers: Mapping[str, str]) -> bool:
    if "_resourceType" in entry:
        return bool(entry["_resourceType"] == "document")
    if "sec-fetch-mode" in headers:
        return headers["sec-fetch-mode"] == "navigate"
    return headers.get("accept", "").startswith("text/html")


def _lower(headers: list[Mapping[str, str]]) -> dict[str, str]:
    return {header["name"].lower(): header["value"] for header in headers}
