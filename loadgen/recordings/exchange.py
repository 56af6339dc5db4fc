"""From a HAR file's entries to exchanges: which of them make load, and what each sent and got."""

import base64
import binascii
import codecs
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from loadgen.recordings.graphql import operations
from loadgen.recordings.har import Entry, is_static_type
from loadgen.scenario.extractors import Seen
from loadgen.shared.origin import FORM
from loadgen.shared.request_names import group_path

STATIC_TYPES = {"stylesheet", "script", "image", "font", "media", "manifest", "texttrack", "ping"}
STATIC_ENDINGS = """.css .js .mjs .map .png .jpg .jpeg .gif .svg .webp .avif .ico .woff .woff2 .ttf
.otf .eot .mp4 .webm .mp3 .webmanifest"""
REDIRECTS = {301, 302, 303, 307, 308}
TEXT, BINARY = 1, 2
_COOKIE_ENDS = re.compile(r"\n|,\s*(?=[\w.-]+=)", re.ASCII)
_COOKIE_NAME = re.compile(r"[\w.-]+", re.ASCII)


@dataclass
class Exchange:
    """A request with its answer. `started` and `ended` are Unix seconds.

    `body` is what was sent: text, or bytes that are none; None when there was nothing or the
    recording lacks it (`lost_bytes` is then the size that was sent). `cookies` are those that the
    answer set, `sent_cookies` those of the request, both by name. `socket` are a WebSocket's
    messages: seconds after it was opened, "send" or "receive", and what was said.
    """

    method: str
    url: SplitResult
    headers: dict[str, str]
    body: str | bytes | None
    status: int
    answer: Seen
    started: float
    ended: float
    document: bool
    lost_bytes: int = 0
    parameters: list[Mapping[str, str]] = field(default_factory=list)
    cookies: dict[str, str] = field(default_factory=dict)
    sent_cookies: dict[str, str] = field(default_factory=dict)
    url_password: str = ""
    socket: list[tuple[float, str, str | bytes]] = field(default_factory=list)

    @property
    def path(self) -> str:
        """The path with the query."""
        query = f"?{self.url.query}" if self.url.query else ""
        return (self.url.path or "/") + query

    @property
    def name(self) -> str:
        """The name of its row in the statistics: the path with identifiers grouped.

        Every GraphQL request has the same path, so its operations' names are added.
        """
        return " ".join([group_path(self.url.path), *operations(self.body, self.url.query)])

    @property
    def content_type(self) -> str:
        """The request's media type, without parameters."""
        return media_type(self.headers.get("content-type", ""))

    @property
    def answer_type(self) -> str:
        """The answer's media type, without parameters."""
        return media_type(self.answer.headers.get("content-type", ""))

    @property
    def text(self) -> str:
        """The request's body if it is text, else nothing."""
        return self.body if isinstance(self.body, str) else ""


def media_type(content_type: str) -> str:
    """Return a Content-Type's media type in lower case, without its parameters."""
    return content_type.partition(";")[0].strip().lower()


def is_web(entry: Entry) -> bool:
    """Tell whether an entry was sent over HTTP, and not to open a tunnel through a proxy."""
    request = entry["request"]
    scheme = urlsplit(request["url"]).scheme
    return scheme in {"http", "https", "ws", "wss"} and request["method"].upper() != "CONNECT"


def is_upgrade(entry: Entry) -> bool:
    """Tell whether an entry left HTTP for another protocol, as a WebSocket does."""
    return (
        entry["response"]["status"] == 101
        or entry.get("_resourceType") == "websocket"
        or urlsplit(entry["request"]["url"]).scheme in {"ws", "wss"}
    )


def is_socket(entry: Entry) -> bool:
    """Tell whether an entry is a WebSocket whose messages were recorded."""
    return is_web(entry) and is_upgrade(entry) and bool(entry["_webSocketMessages"])


def is_endless(entry: Entry) -> bool:
    """Tell whether an entry's answer is a stream of events, which has no end of its own."""
    answered = _lower(entry["response"]["headers"]).get("content-type", "")
    mime = entry["response"]["content"]["mimeType"]
    return "text/event-stream" in {media_type(answered), media_type(mime)}


def is_load(entry: Entry) -> bool:
    """Tell whether an entry is a request worth replaying: no static file, preflight or upgrade."""
    if is_socket(entry):
        return True
    if not is_web(entry) or is_upgrade(entry) or is_endless(entry):
        return False
    return entry["request"]["method"].upper() != "OPTIONS" and not _is_static(entry)


def is_page(entry: Entry) -> bool:
    """Tell whether an entry is a page that the browser went to, or a redirect on the way to one."""
    sent = _lower(entry["request"]["headers"])
    if sent.get("sec-fetch-dest") in {"iframe", "frame", "embed", "object"}:
        return False
    if entry.get("_resourceType") or "sec-fetch-mode" in sent or "accept" in sent:
        return _is_document(entry, sent)
    return "html" in entry["response"]["content"]["mimeType"]


def _is_static(entry: Entry) -> bool:
    if entry.get("_resourceType") in STATIC_TYPES:
        return True
    sent = _lower(entry["request"]["headers"])
    if sent.get("sec-fetch-dest") in {"style", "script", "image", "font", "audio", "video"}:
        return True
    if urlsplit(entry["request"]["url"]).path.lower().endswith(tuple(STATIC_ENDINGS.split())):
        return True
    return is_static_type(entry["response"]["content"]["mimeType"])


def exchange(entry: Entry) -> Exchange:
    """Return an entry's exchange."""
    request, response = entry["request"], entry["response"]
    headers = _lower(request["headers"])
    content = response["content"]
    answer = _lower(response["headers"])
    answer.setdefault("content-type", content["mimeType"])
    posted = request.get("postData", {})
    parameters = list(posted.get("params", []))
    body = _body(posted)
    if "content-type" not in headers and (body or parameters):
        # Browsers that show provisional headers leave out the host header.
        headers["content-type"] = posted["mimeType"] or (FORM if parameters else "text/plain")
    started = datetime.fromisoformat(entry["startedDateTime"]).timestamp()
    made = Exchange(
        method=request["method"].upper(),
        url=_without_user(request["url"], headers),
        headers=headers,
        body=body,
        status=int(response["status"]),
        answer=Seen(answer, _text(content)),
        started=started,
        ended=started + max(float(entry.get("time") or 0), 0) / 1000,
        document=_is_document(entry, headers),
        parameters=parameters,
        cookies=dict(_set_cookies(response)),
        sent_cookies=dict(_named(request["cookies"])),
        url_password=unquote(urlsplit(request["url"]).password or ""),
    )
    if is_socket(entry):
        made.socket = list(_messages(entry["_webSocketMessages"], started))
        # It stays open while the next requests are sent.
        made.ended = started
    if made.method in {"POST", "PUT", "PATCH"} and not body and not parameters:
        made.lost_bytes = max(int(request.get("bodySize", 0)), 0)
    return made


def _without_user(url: str, headers: dict[str, str]) -> SplitResult:
    """Return the URL without a user's name and password, which go where browsers send them."""
    parts = urlsplit(url)
    if parts.username is None:
        return parts
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    headers.setdefault("authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")
    return parts._replace(netloc=parts.netloc.rpartition("@")[2])


def _body(posted: Mapping[str, Any]) -> str | bytes | None:
    text: str = posted.get("text", "")
    if not text or posted["encoding"].lower() != "base64":
        return text or None
    try:
        content = base64.b64decode(text, validate=False)
    except (binascii.Error, ValueError):
        return text
    kind = media_type(posted["mimeType"])
    if not kind.startswith(("text/", "multipart/")) and kind != FORM and "json" not in kind:
        return content
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content


def _messages(
    messages: Sequence[Mapping[str, Any]], opened: float
) -> Iterator[tuple[float, str, str | bytes]]:
    for one in messages:
        data: str | bytes = one["data"]
        if one["opcode"] == BINARY:
            try:
                data = base64.b64decode(one["data"])
            except (binascii.Error, ValueError):
                continue
        if one["opcode"] in {TEXT, BINARY} and one["type"] in {"send", "receive"}:
            yield max(0.0, round(one["time"] - opened, 3)), one["type"], data


def in_charset(text: str, content_type: str) -> str | bytes:
    """Return a body in its declared charset: bytes when that is not UTF-8 and it matters."""
    declared = re.search(r"charset=\"?([\w.:-]+)", content_type, re.IGNORECASE)
    if declared is None or text.isascii():
        return text
    try:
        if codecs.lookup(declared.group(1)).name == "utf-8":
            return text
        return text.encode(declared.group(1))
    except (LookupError, UnicodeError):
        return text


def lost_cookies(exchanges: Sequence[Exchange]) -> list[str]:
    """Return the names of cookies that were sent, but that no answer before had set."""
    known: set[str] = set()
    lost: dict[str, None] = {}
    for one in exchanges:
        lost |= dict.fromkeys(name for name in one.sent_cookies if name not in known)
        known |= {*one.cookies, *one.sent_cookies}
    return list(lost)


def _set_cookies(response: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and value of each cookie that an answer sets."""
    yield from _named(response["cookies"])
    for header in response["headers"]:
        if header["name"].lower() == "set-cookie":
            # Chromium joins several into one, a line for each; others by a comma.
            for line in _COOKIE_ENDS.split(header["value"]):
                name, _, value = line.partition(";")[0].partition("=")
                yield from _named([{"name": name.strip(), "value": value.strip()}])


def _named(cookies: Sequence[Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    for cookie in cookies:
        if _COOKIE_NAME.fullmatch(cookie["name"]):
            yield cookie["name"], cookie["value"].strip('"')


def _text(content: Mapping[str, Any]) -> str:
    text = str(content["text"])
    if content["encoding"] != "base64":
        return text
    try:
        return base64.b64decode(text).decode()
    except (binascii.Error, ValueError):
        # The body is binary, so no value is searched in it.
        return ""


def _is_document(entry: Entry, headers: Mapping[str, str]) -> bool:
    if entry.get("_resourceType"):
        return bool(entry["_resourceType"] == "document")
    if "sec-fetch-mode" in headers:
        return headers["sec-fetch-mode"] == "navigate"
    return headers.get("accept", "").startswith("text/html")


def _lower(headers: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {header["name"].lower(): header["value"] for header in headers}
