"""Finds which earlier answer each token and identifier of a request came from.

A value is looked for in the latest answer before the request, then in the one before it, and so
on; the extractor that found it there will find its counterpart when the session is replayed.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from loadgen.recordings import source
from loadgen.recordings.exchange import Exchange
from loadgen.recordings.source import Expression, Part
from loadgen.scenario.extractors import (
    Address,
    Extractor,
    Field,
    Header,
    Json,
    Link,
    Location,
    Text,
    input_fields,
    links,
    searched_text,
)
from loadgen.shared.request_names import UUID, group_path
from loadgen.shared.secret_names import address_tokens, is_user
from loadgen.shared.text import BODY_VALUES_MAX, require_few_values

_TOKEN = re.compile(rf"{UUID}|[\w-]{{16,}}(?:\.[\w-]+)*")
IDENTIFIER = re.compile(rf"{UUID}|(?<=/)\d+(?=[/?]|$)")
_IDENTIFIER_KEY = re.compile(r"(^|_)(id|pk|uuid)$|Id$|ID$")
_STANDARD_HEADERS = {
    "content-type", "content-length", "date", "server", "vary", "cache-control", "connection",
    "content-encoding", "transfer-encoding", "last-modified", "expires", "pragma", "accept-ranges",
    "content-disposition", "location", "set-cookie", "age", "keep-alive", "content-language",
}  # fmt: skip

# What may stand before a token and is another one in the next session.
_CHANGES = re.compile(r"[\w.~%=+-]{16,}|\d+|(?<=/)[\w-]{2,}(?=/)")
_OF_TOKENS = r"[\w.~%=+-]+"
LONGEST_BEFORE, SHORTEST_BEFORE = 40, 3

SHORTEST_COOKIE = 8


@dataclass
class Correlation:
    """What each answer has to be searched for; `saves[n]` are variables of the nth exchange."""

    exchanges: list[Exchange]
    saves: dict[int, dict[str, Extractor]] = field(default_factory=dict)
    guesses: list[str] = field(default_factory=list)
    _found: dict[int, dict[str, Extractor]] = field(default_factory=dict)
    _names: dict[tuple[int, Extractor], str] = field(default_factory=dict)

    def forget_unused(self, written: str) -> None:
        """Drop the variables that no written request has: they were only looked for."""
        for number, saved in list(self.saves.items()):
            used = {name: one for name, one in saved.items() if re.search(rf"\b{name}\b", written)}
            self.saves[number] = used

    def variable(self, value: str, before: int, hint: str = "value") -> Expression | None:
        """Return the expression that gives `value` for the request numbered `before`.

        What a cookie held is read from the cookies when the request is sent: sites change them at
        any answer.
        """
        for number in range(before - 1, -1, -1):
            extractor = self._values(number).get(value)
            if extractor is not None:
                return source.variable(self._name(number, extractor, hint))
            held = _cookie_of(value, self.exchanges[number].cookies)
            if held:
                return source.cookie(held)
        # The value was set before the recording began.
        held = _cookie_of(value, self.exchanges[before].sent_cookies)
        return source.cookie(held) if held else None

    def explains(self, value: str, before: int) -> bool:
        """Tell whether an earlier answer, or a cookie, holds the value."""
        return bool(_cookie_of(value, self.exchanges[before].sent_cookies)) or any(
            value in self._values(number) or _cookie_of(value, self.exchanges[number].cookies)
            for number in range(before)
        )

    def token(self, value: str, before: int) -> Expression | None:
        """Return the expression for a secret that an earlier answer has, alone or in a text."""
        found = self.variable(value, before, "token")
        for number in () if found else range(before - 1, -1, -1):
            extractor = _within(value, searched_text(self.exchanges[number].answer))
            if extractor is not None:
                return source.variable(self._name(number, extractor, "token"))
        return found

    def path(self, number: int) -> list[Part]:
        """Return the parts of a request's path and query."""
        exchange = self.exchanges[number]
        whole = exchange.path
        led_here = group_path(whole) != exchange.url.path or any(address_tokens(whole))
        if led_here and re.search(UUID, whole) is None:
            # A path with a number in it: a redirect or a link led here.
            found = self.variable(whole, number, "path")
            if found:
                return [found]
        parts = self._segments(whole, number)
        if led_here and any(isinstance(part, str) and re.search(UUID, part) for part in parts):
            # No answer has the identifier by itself, so a link has it.
            found = self.variable(whole, number, "path")
            if found:
                return [found]
        return parts

    def text(self, text: str, number: int) -> list[Part]:
        """Return the parts of a header's or body's text, its tokens replaced by variables."""
        whole = self.variable(text, number, "value") if _is_dynamic(text) else None
        if whole:
            return [whole]
        return self._replace(_TOKEN, text, number)

    def _segments(self, text: str, number: int) -> list[Part]:
        parts: list[Part] = []
        path, mark, query = text.partition("?")
        for piece in re.split(r"(/)", path):
            found = self.variable(piece, number, "id") if piece.isdigit() else None
            if found is None and IDENTIFIER.fullmatch(f"/{piece}", 1):
                found = self.variable(piece, number, "uuid") or self._lost(piece, number)
            parts += [found] if found else self._replace(_TOKEN, piece, number)
        return _joined([*parts, *self._replace(_TOKEN, mark + query, number)])

    def _lost(self, value: str, before: int) -> Expression | None:
        """Return the variable for the identifier of something made by a POST.

        Browsers forget an answer's body when the page is left at once; what was made is then known
        by the requests to it, and its identifier stands by custom in the field `id`.
        """
        for number in range(before - 1, -1, -1):
            one = self.exchanges[number]
            below = f"{one.url.path.rstrip('/')}/{value}"
            lost = one.method == "POST" and not one.answer.text and "json" in one.answer_type
            if lost and any(later.url.path.startswith(below) for later in self.exchanges[number:]):
                self.guesses.append(f"field id of POST {group_path(one.url.path)}")
                return source.variable(self._name(number, Json(("id",)), "id"))
        return None

    def _replace(self, pattern: re.Pattern[str], text: str, number: int) -> list[Part]:
        parts: list[Part] = []
        end = 0
        for match in pattern.finditer(text):
            hint = "uuid" if re.fullmatch(UUID, match.group()) else "token"
            found = self.variable(match.group(), number, hint)
            if found:
                parts += [text[end : match.start()], found]
                end = match.end()
        return _joined([*parts, text[end:]])

    def _name(self, number: int, extractor: Extractor, hint: str) -> str:
        if (number, extractor) not in self._names:
            name = f"{_hint(extractor, hint)}_{len(self._names) + 1}"
            self._names[number, extractor] = name
            self.saves.setdefault(number, {})[name] = extractor
        return self._names[number, extractor]

    def _values(self, number: int) -> dict[str, Extractor]:
        if number not in self._found:
            self._found[number] = dict(_all_values(self.exchanges[number]))
        return self._found[number]


def _cookie_of(value: str, cookies: Mapping[str, str]) -> str | None:
    """Return the name of the cookie that holds a value, as it is or percent-encoded."""
    if len(value) < SHORTEST_COOKIE:
        return None
    held = (name for name, one in cookies.items() if value in {one, unquote(one)})
    return next(held, None)


def _within(value: str, text: str) -> Text | None:
    """Return what finds a token in a text by what is before it."""
    place = text.find(value)
    if place < 0:
        return None
    window = text[max(0, place - LONGEST_BEFORE) : place].rpartition("\n")[2]
    if place > LONGEST_BEFORE:
        window = re.sub(rf"^{_OF_TOKENS}", "", window)
    if len(window) < SHORTEST_BEFORE:
        return None
    kind = _OF_TOKENS if re.fullmatch(_OF_TOKENS, value) else r"[^\s\"'<>&?#]+"
    pattern = f"{_general(window)}({kind})"
    found = re.findall(pattern, text)
    return Text(pattern, found.index(value)) if value in found else None


def _general(text: str) -> str:
    """Return a pattern for a text: what changes in it may be anything of its kind."""
    pattern, end = "", 0
    for match in _CHANGES.finditer(text):
        one = match.group()
        if one.isdigit():
            kind = r"\d+"
        elif len(one) >= 16 or is_user(one):
            kind = _OF_TOKENS
        else:
            continue
        pattern += re.escape(text[end : match.start()]) + kind
        end = match.end()
    return pattern + re.escape(text[end:])


def _is_dynamic(text: str) -> bool:
    return len(text) >= 8 and " " not in text and not text.startswith("{")


def _hint(extractor: Extractor, hint: str) -> str:
    match extractor:
        case Header(name) | Field(name):
            return re.sub(r"\W+", "_", name).strip("_").lower()
        case Location() | Link() | Address():
            return "path"
        case _:
            return hint


def _joined(parts: list[Part]) -> list[Part]:
    made: list[Part] = []
    for part in parts:
        if isinstance(part, str) and made and isinstance(made[-1], str):
            made[-1] += part
        elif part != "":
            made.append(part)
    return made


def _all_values(exchange: Exchange) -> Iterator[tuple[str, Extractor]]:
    """Yield each value of an answer with its extractor; a later one of equal value wins."""
    answer = exchange.answer
    yield from _page_values(exchange)
    yield from _json_values(exchange)
    for name, value in answer.headers.items():
        if name not in _STANDARD_HEADERS and not name.startswith(("sec-", "access-control-")):
            scheme, _, rest = value.partition(" ")
            yield (rest, Header(name, f"{scheme} ")) if rest else (value, Header(name))
    if exchange.status in {301, 302, 303, 307, 308}:
        target = Location().find(answer)
        if target:
            yield target, Location()


def _page_values(exchange: Exchange) -> Iterator[tuple[str, Extractor]]:
    if "html" not in exchange.answer_type:
        return
    text = exchange.answer.text
    patterns: dict[str, int] = {}
    for link in links(text):
        pattern = _link_pattern(link)
        if pattern is None:
            continue
        position = patterns.get(pattern, 0)
        patterns[pattern] = position + 1
        # The first place where it occurs on the page is the link.
        found = _first(Link(pattern, position), exchange, link)
        yield link, found
        yield from _address(link, found)
    for name, value in reversed(input_fields(text)):
        if len(value) >= 8:
            yield value, Field(name)


def _first(extractor: Link, exchange: Exchange, link: str) -> Link:
    same = [one for one in links(exchange.answer.text) if re.fullmatch(extractor.pattern, one)]
    return Link(extractor.pattern, same.index(link))


def _link_pattern(link: str) -> str | None:
    """Return a pattern for a link with something that changes in it, None for another one."""
    path = link.partition("?")[0]
    secrets = {(one.start, one.end): r"[^/?&;]+" for one in address_tokens(link)}
    if group_path(path) == path and not secrets:
        return None
    for match in IDENTIFIER.finditer(link):
        secrets.setdefault(match.span(), r"\d+" if match.group().isdigit() else UUID)
    pieces, end = [], 0
    for (start, stop), kind in sorted(secrets.items()):
        if start >= end:
            pieces += [re.escape(link[end:start]), kind]
            end = stop
    return "".join([*pieces, re.escape(link[end:])]) if pieces else None


def _address(value: str, extractor: Extractor) -> Iterator[tuple[str, Extractor]]:
    """Yield the path and query of a whole address, which requests have without the host."""
    if value.startswith(("http://", "https://")):
        try:
            path = urlsplit(value)._replace(scheme="", netloc="").geturl()
        except ValueError:
            return
        if len(path) > 1:
            yield path, Address(extractor)


def _json_values(exchange: Exchange) -> Iterator[tuple[str, Extractor]]:
    if "json" not in exchange.answer_type:
        return
    try:
        body = json.loads(require_few_values(exchange.answer.text, BODY_VALUES_MAX))
    except (ValueError, RecursionError):
        return
    # The place with the least nesting is the best one, so it comes last and replaces the others.
    leaves = sorted(_leaves(body, ()), key=lambda leaf: -len(leaf[0]))
    for path, value in leaves:
        yield value, Json(path)
        yield from _address(value, Json(path))


def _leaves(
    node: object, path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(node, dict):
        for key, child in node.items():
            yield from _leaves(child, (*path, key))
    elif isinstance(node, list):
        for position, child in enumerate(node):
            yield from _leaves(child, (*path, position))
    elif isinstance(node, str):
        # Tokens have digits; a name that is as long is the same in every session.
        if len(node) >= 16 and " " not in node and re.search(r"\d", node):
            yield path, node
    elif path and type(node) is int and _IDENTIFIER_KEY.search(str(path[-1])):
        yield path, str(node)
