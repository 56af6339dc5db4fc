"""From a recording's entries to what the template needs: pages of requests, as Python source."""

import json
import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from loadgen.recordings import content, multipart, source
from loadgen.recordings.correlation import UUID, Correlation, Variable
from loadgen.recordings.har import REDIRECTS, Entry, Exchange, exchange
from loadgen.recordings.secrets import Secrets, body_fields
from loadgen.shared.request_names import group_path

SHORTEST_PAUSE_SECONDS = 0.1
_DROPPED = re.compile(
    r"^(:.*|cookie|host|origin|referer|connection|content-length|accept-encoding|user-agent|cache-control|pragma"
    r"|if-.*|sec-.*|upgrade-insecure-requests|priority|dnt|te|range|x-client-data)$"
)


_JSON = ("accept", "application/json")

_IDENTIFIER = re.compile(rf"{UUID}|(?<=/)\d+(?=[/?]|$)")


@dataclass(frozen=True)
class Request:
    """One request: `pause` in seconds before it, and the arguments of `send` as source."""

    pause: float
    arguments: str


@dataclass
class Page:
    """What one navigation loaded."""

    name: str
    title: str
    requests: list[Request] = field(default_factory=list)


@dataclass
class Session:
    """A whole recording. `host` is the recorded site's base URL."""

    host: str
    exchanges: list[Exchange]
    secrets: Secrets
    pages: list[Page]
    headers: str
    values: int
    made_up_files: int
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
        self.unexplained: list[str] = []
        self.common = self._common_headers()

    def session(self) -> Session:
        """Return the session."""
        first = self.exchanges[0]
        # Every request is looked at before any is written: an early answer's values are known late.
        fields = [self._fields(number) for number in range(len(self.exchanges))]
        self.correlation.forget_unused("\n".join(" ".join(one.values()) for one in fields))
        pages = self._pages(
            [self._arguments(number, fields[number]) for number in range(len(fields))]
        )
        return Session(
            host=f"{first.url.scheme}://{first.url.netloc}",
            exchanges=self.exchanges,
            secrets=self.secrets,
            pages=pages,
            headers=source.mapping(self.common),
            values=sum(len(saved) for saved in self.correlation.saves.values()),
            made_up_files=self.made_up_files,
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
                title = source.comment(f"{one.method} {path}")
                pages.append(Page(f"page_{len(pages) + 1:02}_{words}", title))
            pause = one.started - free_at
            pages[-1].requests.append(
                Request(
                    round(pause, 1) if pause >= SHORTEST_PAUSE_SECONDS else 0.0, arguments[number]
                )
            )
            free_at = max(free_at, one.ended)
        return pages

    def _fields(self, number: int) -> dict[str, str]:
        fields = {"path": self._path(number)}
        headers = self._headers(number)
        if headers:
            fields["headers"] = source.mapping(headers)
        fields.update(self._body(number))
        return fields

    def _arguments(self, number: int, fields: dict[str, str]) -> str:
        one = self.exchanges[number]
        made = [repr(one.method), fields.pop("path"), f"name={group_path(one.url.path)!r}"]
        # A browser's cache answers 304 where a new visitor gets the whole page.
        made.append(f"status={200 if one.status == 304 else one.status}")
        text = content.choose(number, self.exchanges, list(self.secrets.values))
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
        path, _, query = one.path.partition("?")
        secret = any(
            self.secrets.expression(name, value, f"query of {group_path(path)}")
            for name, value in _query(query)
            if not self.correlation.explains(value, number)
        )
        if secret:
            return self._with_secrets(one.path)
        parts = self.correlation.path(number)
        for part in parts:
            if isinstance(part, str):
                self.unexplained += [
                    f"{found} in {one.method} {path}" for found in _IDENTIFIER.findall(part)
                ]
        return source.text(parts)

    def _with_secrets(self, path: str) -> str:
        return source.around(path, self.secrets.values)

    def _headers(self, number: int) -> dict[str, str]:
        one = self.exchanges[number]
        headers: dict[str, str] = {}
        for name, value in one.headers.items():
            if _DROPPED.match(name) or (name == "content-type" and "multipart" in value):
                continue
            if name == "accept" and value.startswith("text/html"):
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
        found = self.correlation.variable(value, number, name) if name.startswith("x-") else None
        if found:
            return source.variable(found.name)
        if rest and name == "authorization":
            token = self.correlation.variable(rest, number, "token")
            if token:
                return source.text([f"{scheme} ", token])
        path = group_path(self.exchanges[number].url.path)
        return self.secrets.expression(name, value, f"header in {path}") or repr(value)

    def _body(self, number: int) -> dict[str, str]:
        one = self.exchanges[number]
        if "multipart" in one.content_type:
            return {"parts": self._multipart(number)}
        if one.content_type == "application/x-www-form-urlencoded":
            entries = [(name, self._value(number, name, value)) for name, value in body_fields(one)]
            return {"form": source.pairs(entries)} if entries else {}
        if one.body is None:
            return {}
        if "json" in one.content_type:
            try:
                return {"json": self._literal(number, "", json.loads(one.body))}
            except ValueError:
                pass
        return {"data": source.text(self.correlation.text(one.body, number))}

    def _multipart(self, number: int) -> str:
        one = self.exchanges[number]
        found = multipart.parts(one.headers.get("content-type", ""), one.body, one.parameters)
        if not found:
            found = [("file", "file.bin", "application/octet-stream", one.lost_bytes or 10_000)]
        self.made_up_files += sum(isinstance(part[3], int) for part in found)
        made = []
        for name, file_name, kind, value in found:
            written = repr(value) if file_name else self._value(number, name, str(value))
            made.append(f"({name!r}, {file_name!r}, {kind!r}, {written})")
        return f"[{', '.join(made)}]"

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
                return f"int({source.variable(found.name)})"
        if isinstance(node, float) and not math.isfinite(node):
            return f"float({str(node)!r})"
        return repr(node)

    def _value(self, number: int, name: str, value: str) -> str:
        if value in self.secrets.values:
            return self.secrets.values[value]
        parts = self.correlation.text(value, number)
        if any(isinstance(part, Variable) for part in parts):
            return source.text(parts)
        path = group_path(self.exchanges[number].url.path)
        return self.secrets.expression(name, value, f"field in {path}") or repr(value)


def _query(query: str) -> list[tuple[str, str]]:
    return [(name, value) for name, _, value in (one.partition("=") for one in query.split("&"))]


def origin(entry: Entry) -> str:
    """Return the base URL of the site that an entry was sent to."""
    url = urlsplit(entry["request"]["url"])
    return f"{url.scheme}://{url.netloc}"
