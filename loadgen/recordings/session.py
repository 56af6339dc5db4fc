"""From a recording's entries to what the template needs: pages of requests, as Python source."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from loadgen.recordings import content, multipart, source
from loadgen.recordings.addresses import Addresses
from loadgen.recordings.correlation import IDENTIFIER, Correlation
from loadgen.recordings.exchange import (
    REDIRECTS,
    Exchange,
    exchange,
    in_charset,
    lost_cookies,
)
from loadgen.recordings.fields import form_fields, is_same_form, json_fields, parse_json
from loadgen.recordings.har import Entry
from loadgen.recordings.secrets import Secrets
from loadgen.recordings.source import Expression
from loadgen.shared.origin import FORM, is_header, web_origin
from loadgen.shared.request_names import group_path
from loadgen.shared.secret_names import names_secret, without_tokens

SHORTEST_PAUSE_SECONDS = 0.1
LONGEST_USUAL_PAUSE_SECONDS = 600.0
LONGEST_TITLE = 80
LONGEST_NAME = 40
LARGEST_KEPT_BYTES = 1_000_000
_DROPPED = re.compile(
    r"^(:.*|cookie2?|host|origin|referer|connection|content-length|accept-encoding|user-agent"
    r"|cache-control|pragma|if-.*|sec-.*|upgrade-insecure-requests|priority|dnt|range"
    r"|x-client-data)$"
)
# Headers that concern one connection only (RFC 9110, 7.6.1), or that a proxy added: a replay has
# its own.
_HOP = re.compile(
    r"^(keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|http2-settings|via|forwarded"
    r"|x-forwarded-.*|x-real-ip|x-amzn-trace-id|cf-.*|true-client-ip|expect|alt-used)$"
)
# Headers that repeat a cookie's value by convention, in Angular and in Django.
_DOUBLE_SUBMITTED = {"x-xsrf-token": "XSRF-TOKEN", "x-csrftoken": "csrftoken"}
# An answer to a challenge, or a signature: each is good for one request.
_ONE_TIME = re.compile(r"(digest|negotiate|ntlm|aws4-hmac-sha256|hawk|oauth) ", re.IGNORECASE)
_JSON = ("accept", "application/json")
_NULL = {"data": "'null'"}


@dataclass(frozen=True)
class WrittenRequest:
    """One request: `pause` in seconds before it, `call` and its arguments as source."""

    pause: float
    arguments: str
    call: str = "send"


@dataclass
class Page:
    """What one navigation loaded."""

    name: str
    title: str
    requests: list[WrittenRequest] = field(default_factory=list)


@dataclass
class WrittenSession:
    """A whole recording. `host` is the recorded site's base URL."""

    host: str
    exchanges: list[Exchange]
    secrets: Secrets
    pages: list[Page]
    headers: str
    values: int
    made_up_files: int
    lost_bodies: list[str]
    hop_headers: set[str]
    odd_headers: set[str]
    one_time: list[str]
    lost_cookies: list[str]
    long_pauses: list[str]
    sockets: int
    unexplained: list[str]
    guesses: list[str]


class Writer:
    """Writes each request of a recording as the arguments of `RecordedSession.send`."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        made = [exchange(entry) for entry in entries]
        self.exchanges = sorted(made, key=lambda one: one.started)
        self.correlation = Correlation(self.exchanges)
        self.secrets = Secrets()
        self.secrets.find_logins(self.exchanges)
        self.made_up_files = 0
        self.lost_bodies: list[str] = []
        self.hop_headers: set[str] = set()
        self.odd_headers: set[str] = set()
        self.one_time: list[str] = []
        self.long_pauses: list[str] = []
        self.sockets = 0
        self.unexplained: list[str] = []
        self.addresses = Addresses(self.exchanges, self.correlation, self.secrets)
        self.common = self._common_headers()

    def session(self) -> WrittenSession:
        """Return the session."""
        first = self.exchanges[0]
        # Every request is read before any is written, because later requests show which values of
        # an early answer are needed.
        fields = [self._fields(number) for number in range(len(self.exchanges))]
        self.correlation.forget_unused("\n".join(" ".join(one.values()) for one in fields))
        pages = self._pages(
            [self._arguments(number, fields[number]) for number in range(len(fields))]
        )
        return WrittenSession(
            host=web_origin(first.url.geturl()),
            exchanges=self.exchanges,
            secrets=self.secrets,
            pages=pages,
            headers=source.mapping(self.common),
            values=sum(len(saved) for saved in self.correlation.saves.values()),
            made_up_files=self.made_up_files,
            lost_bodies=self.lost_bodies,
            hop_headers=self.hop_headers,
            odd_headers=self.odd_headers,
            one_time=self.one_time,
            lost_cookies=lost_cookies(self.exchanges),
            long_pauses=self.long_pauses,
            sockets=self.sockets,
            unexplained=self.unexplained,
            guesses=self.correlation.guesses,
        )

    def _pages(self, arguments: list[str]) -> list[Page]:
        pages: list[Page] = []
        free_at = self.exchanges[0].started
        for number, one in enumerate(self.exchanges):
            redirected = number > 0 and self.exchanges[number - 1].status in REDIRECTS
            if not pages or (one.document and not redirected):
                path = group_path(one.url.path)
                words = re.sub(r"\W+", "_", path, flags=re.ASCII).strip("_").lower() or "start"
                title = source.comment(f"Replay {one.method} {path}"[:LONGEST_TITLE])
                pages.append(Page(f"page_{len(pages) + 1:02}_{words[:LONGEST_NAME]}", title))
            pause = one.started - free_at
            if pause > LONGEST_USUAL_PAUSE_SECONDS:
                request = f"{one.method} {group_path(one.url.path)}"
                self.long_pauses.append(f"{pause / 60:,.0f} minutes before {request}")
            pages[-1].requests.append(
                WrittenRequest(
                    round(pause, 1) if pause >= SHORTEST_PAUSE_SECONDS else 0.0,
                    arguments[number],
                    "websocket" if one.socket else "send",
                )
            )
            free_at = max(free_at, one.ended)
        return pages

    def _fields(self, number: int) -> dict[str, str]:
        if self.exchanges[number].socket:
            return {"path": self._path(number), **self._socket(number)}
        fields = {"path": self._path(number), **self._body(number)}
        headers = self._headers(number)
        if "parts" in fields:
            headers.pop("content-type", None)
        if headers:
            fields["headers"] = source.mapping(headers)
        return fields

    def _socket(self, number: int) -> dict[str, str]:
        """Return what opens a WebSocket, and its messages: what and when, and how many come."""
        one = self.exchanges[number]
        self.sockets += 1
        sends = [
            f"({seconds}, {self._message(number, message)})"
            for seconds, kind, message in one.socket
            if kind == "send"
        ]
        receives = sum(kind == "receive" for _, kind, _ in one.socket)
        fields = {"sends": f"[{', '.join(sends)}]", "receives": str(receives)}
        if headers := self._headers(number):
            fields["headers"] = source.mapping(headers)
        if offered := self._subprotocols(number):
            fields["subprotocols"] = f"[{', '.join(offered)}]"
        if "permessage-deflate" in one.answer.headers.get("sec-websocket-extensions", ""):
            fields["compress"] = "True"
        return fields

    def _subprotocols(self, number: int) -> list[str]:
        """Return what was offered. Some pages send a token there, after a word that says so."""
        one, before, offered = self.exchanges[number], "", []
        for name in one.headers.get("sec-websocket-protocol", "").split(","):
            given = name.strip()
            place = f"subprotocol in {group_path(one.url.path)}"
            found = self.correlation.variable(given, number, "token") if len(given) >= 8 else None
            sure = names_secret(before) or before.lower() == "bearer"
            secret = self.secrets.expression(before or "subprotocol", given, place, sure=sure)
            if given:
                offered.append(found.source if found else secret or repr(given))
            before = given
        return offered

    def _message(self, number: int, message: str | bytes) -> str:
        if isinstance(message, bytes):
            return repr(message)
        path = group_path(self.exchanges[number].url.path)
        secrets = self._hidden()
        for name, value in json_fields(message):
            expression = self.secrets.expression(name, value, f"message to {path}")
            if expression:
                secrets[value] = expression
        return source.text(source.replaced(self.correlation.text(message, number), secrets))

    def _arguments(self, number: int, fields: dict[str, str]) -> str:
        one = self.exchanges[number]
        if one.socket:
            path = fields.pop("path")
            rest = [f"{name}={value}" for name, value in fields.items()]
            return ", ".join([path, f"name={one.name!r}", *rest])
        made = [repr(one.method), fields.pop("path"), f"name={one.name!r}"]
        # A browser's cache answers 304 where a new visitor gets the whole page.
        made.append(f"status={200 if one.status == 304 else one.status}")
        text = content.choose(
            number, self.exchanges, {*self.secrets.texts(), *self.secrets.usernames}
        )
        if text:
            made.append(f"contains={text!r}")
        made += [f"{name}={value}" for name, value in fields.items()]
        saved = self.correlation.saves.get(number)
        if saved:
            entries = {name: repr(extractor) for name, extractor in saved.items()}
            made.append(f"save={source.mapping(entries)}")
        return ", ".join(made)

    def _path(self, number: int) -> str:
        one = self.exchanges[number]
        parts = source.replaced(self.correlation.path(number), self.addresses.secrets_of(number))
        for part in parts:
            if isinstance(part, str):
                self.unexplained += [
                    f"{found} in {one.method} {without_tokens(one.url.path)}"
                    for found in IDENTIFIER.findall(part)
                ]
        return source.text(parts)

    def _headers(self, number: int) -> dict[str, str]:
        one = self.exchanges[number]
        hops = {name.strip().lower() for name in one.headers.get("connection", "").split(",")}
        headers: dict[str, str] = {}
        for name, value in one.headers.items():
            if name in hops or _HOP.match(name):
                self.hop_headers |= set() if one.socket else {name}
            elif _DROPPED.match(name) or (name == "content-encoding" and one.text):
                # A recorded text is already decoded.
                continue
            elif not is_header(name, value):
                self.odd_headers.add(name)
            elif name == "accept" and value.startswith("text/html"):
                headers[name] = repr("text/html,*/*;q=0.8")
            else:
                headers[name] = self._header(number, name, value)
        return {name: value for name, value in headers.items() if value != self.common.get(name)}

    def _common_headers(self) -> dict[str, str]:
        """Return, as source, what every request sends alike, and the most frequent Accept."""
        counts = Counter(
            (name, value)
            for one in self.exchanges
            for name, value in one.headers.items()
            if name in {"user-agent", "accept-language"} or (name, value) == _JSON
        )
        whole = len(self.exchanges)
        return {
            name: repr(value)
            for (name, value), count in counts.items()
            if count == whole or (name, value) == _JSON
        }

    def _header(self, number: int, name: str, value: str) -> str:
        scheme, _, rest = value.partition(" ")
        found = self.correlation.variable(value, number, name) if len(value) >= 8 else None
        if found:
            return found.source
        if rest and name == "authorization":
            token = self.correlation.variable(rest, number, "token")
            if token:
                return source.text([f"{scheme} ", token])
        if name in _DOUBLE_SUBMITTED:
            self.correlation.guesses.append(f"cookie {_DOUBLE_SUBMITTED[name]}")
            return source.cookie(_DOUBLE_SUBMITTED[name]).source
        path = group_path(self.exchanges[number].url.path)
        if name == "authorization" and _ONE_TIME.match(value):
            self.one_time.append(f"{scheme} of {self.exchanges[number].method} {path}")
        place = f"header in {path}"
        expression = self.secrets.expression(name, value, place, in_header=True)
        return expression or source.text(source.replaced([value], self.addresses.known))

    def _body(self, number: int) -> dict[str, str]:
        """Return the body's argument: taken apart if that says the same, else whole."""
        one = self.exchanges[number]
        if one.content_type == "multipart/form-data":
            parts = self._multipart(number)
            if parts:
                return {"parts": parts}
        if one.content_type == FORM and not isinstance(one.body, bytes):
            pairs = form_fields(one)
            if not one.body or is_same_form(one.text, pairs):
                made = [(name, self._value(number, name, value)) for name, value in pairs]
                return {"form": source.pairs(made)} if made else {}
        if "json" in one.content_type:
            try:
                value = parse_json(one.text)
            except (ValueError, RecursionError):
                pass
            else:
                # A body of null would be none.
                return {"json": self._literal(number, "", value)} if value is not None else _NULL
        return self._whole_body(number)

    def _whole_body(self, number: int) -> dict[str, str]:
        one = self.exchanges[number]
        if one.body is None:
            if one.lost_bytes:
                self.lost_bodies.append(f"{one.method} {group_path(one.url.path)}")
            return {}
        body = one.body
        if isinstance(body, str):
            parts = source.replaced(self.correlation.text(body, number), self._hidden())
            encoded = in_charset(body, one.headers.get("content-type", ""))
            if isinstance(encoded, str) or parts != [body]:
                return {"data": source.text(parts)}
            body = encoded
        if len(body) > LARGEST_KEPT_BYTES:
            self.made_up_files += 1
            return {"data": f"bytes({len(body)})"}
        return {"data": repr(body)}

    def _hidden(self) -> dict[str, str]:
        """Return the secrets that are long enough not to be any word of a text."""
        known = {**self.secrets.values, **self.addresses.known}
        return {value: expression for value, expression in known.items() if len(value) > 5}

    def _multipart(self, number: int) -> str:
        one = self.exchanges[number]
        given = one.headers["content-type"]
        found = multipart.parts(given, one.body, one.parameters)
        if not found and not one.body:
            found = [("file", "file.bin", "application/octet-stream", one.lost_bytes or 10_000)]
        self.made_up_files += sum(isinstance(part[3], int) for part in found)
        made = []
        for name, file_name, kind, value in found:
            plain = not file_name and isinstance(value, str)
            written = self._value(number, name, str(value)) if plain else repr(value)
            made.append(f"({name!r}, {file_name!r}, {kind!r}, {written})")
        return f"[{', '.join(made)}]" if made else ""

    def _literal(self, number: int, name: str, node: object) -> str:
        if isinstance(node, dict):
            return source.mapping(
                {key: self._literal(number, key, value) for key, value in node.items()}
            )
        if isinstance(node, list):
            return f"[{', '.join(self._literal(number, name, one) for one in node)}]"
        if isinstance(node, str):
            return self._value(number, name, node)
        if type(node) is int and name.lower().endswith("id"):
            found = self.correlation.variable(str(node), number, name)
            if found:
                return f"int({found.source})"
        if isinstance(node, float) and not math.isfinite(node):
            return f"float({str(node)!r})"
        return repr(node)

    def _value(self, number: int, name: str, value: str) -> str:
        path = group_path(self.exchanges[number].url.path)
        if value in self.secrets.values:
            return self.secrets.expression(name, value, path) or repr(value)
        parts = source.replaced(self.correlation.text(value, number), self.addresses.known)
        if any(isinstance(part, Expression) for part in parts):
            return source.text(parts)
        return self.secrets.expression(name, value, f"field in {path}") or repr(value)
