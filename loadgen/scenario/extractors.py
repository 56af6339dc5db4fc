"""Where an answer contains a value that a later request needs: a token, an identifier, a link.

Used twice: a recording is searched with these to find where each value came from, and the
locustfile made from it finds the value of its own session at the same place.
"""

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Seen:
    """An answer: its headers, by lower-case name, and its body as text."""

    headers: Mapping[str, str]
    text: str


class Extractor(Protocol):
    """Finds one value."""

    def find(self, seen: Seen) -> str | None:
        """Return the value; None when the answer doesn't hold it."""


@dataclass(frozen=True)
class Header:
    """A response header; `scheme` is left out before its value, as in `Bearer <token>`."""

    name: str
    scheme: str = ""

    def find(self, seen: Seen) -> str | None:
        """Return the header's value."""
        value = seen.headers.get(self.name)
        if value is None or not value.startswith(self.scheme):
            return None
        return value.removeprefix(self.scheme).strip() or None


@dataclass(frozen=True)
class Location:
    """Where a redirect leads: the path of the header `Location`, without the host."""

    def find(self, seen: Seen) -> str | None:
        """Return path and query."""
        parts = urlsplit(seen.headers.get("location", ""))
        return parts._replace(scheme="", netloc="").geturl() or None


@dataclass(frozen=True)
class Json:
    """A value in a JSON body, by keys and positions."""

    path: tuple[str | int, ...]

    def find(self, seen: Seen) -> str | None:
        """Return the value as text."""
        try:
            found = json.loads(seen.text)
            for key in self.path:
                found = found[key]
        except (ValueError, KeyError, IndexError, TypeError, RecursionError):
            return None
        return str(found) if isinstance(found, str | int) else None


@dataclass(frozen=True)
class Field:
    """The value of a form's input with this name."""

    name: str

    def find(self, seen: Seen) -> str | None:
        """Return the first such input's value."""
        return dict(reversed(input_fields(seen.text))).get(self.name)


@dataclass(frozen=True)
class Link:
    """The link at this position among those whose target matches the pattern as a whole."""

    pattern: str
    position: int = 0

    def find(self, seen: Seen) -> str | None:
        """Return the link's target."""
        found = [link for link in links(seen.text) if re.fullmatch(self.pattern, link)]
        return found[self.position] if self.position < len(found) else None


@dataclass(frozen=True)
class Address:
    """The path and query of the address that another extractor finds, without the host."""

    of: Extractor

    def find(self, seen: Seen) -> str | None:
        """Return path and query."""
        found = self.of.find(seen)
        return urlsplit(found)._replace(scheme="", netloc="").geturl() if found else None


@dataclass(frozen=True)
class Text:
    """What the pattern's group matches, at this position, in an answer's body or `Location`."""

    pattern: str
    position: int = 0

    def find(self, seen: Seen) -> str | None:
        """Return the group's text."""
        found = re.findall(self.pattern, searched_text(seen))
        return str(found[self.position]) if self.position < len(found) else None


def searched_text(seen: Seen) -> str:
    """Return where `Text` looks: JSON may write a slash with a backslash before it."""
    return f"{seen.headers.get('location', '')}\n{seen.text}".replace("\\/", "/")


_INPUT = re.compile(r"<(?:input|meta)\b[^>]*>", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"([\w-]+)\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))")
_LINK = re.compile(r"\b(?:href|action)\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)


def input_fields(text: str) -> list[tuple[str, str]]:
    """Return name and value of every input and meta element of a page, in order."""
    fields = []
    for tag in _INPUT.findall(text):
        found = {name.lower(): html.unescape(a or b or c) for name, a, b, c in _attributes(tag)}
        value = found.get("value", found.get("content"))
        if "name" in found and value:
            fields.append((found["name"], value))
    return fields


def links(text: str) -> list[str]:
    """Return the targets of a page's links and forms, in order."""
    return [html.unescape(first or second) for first, second in _LINK.findall(text)]


def _attributes(tag: str) -> list[tuple[str, str, str, str]]:
    found: list[tuple[str, str, str, str]] = _ATTRIBUTE.findall(tag)
    return found
