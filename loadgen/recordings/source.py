"""Writes recorded values as Python expressions; `self.v` is the session's own values."""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Expression:
    """A piece of a text that a replayed session finds out: `source` is Python of ours."""

    source: str


def variable(name: str) -> Expression:
    """Return the expression for a value of the session, by its name."""
    return Expression(f"self.v[{name!r}]")


def cookie(name: str) -> Expression:
    """Return the expression for what a cookie holds when the request is sent."""
    return Expression(f"self.cookie({name!r})")


Part = str | Expression


def text(parts: Sequence[Part]) -> str:
    """Return an expression for text with expressions in it."""
    if not any(isinstance(part, Expression) for part in parts):
        return repr("".join(str(part) for part in parts))
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return parts[0].source
    constants = [part for part in parts if isinstance(part, str)]
    if not all(one.isprintable() and re.search(r"[\"'\\]", one) is None for one in constants):
        # An f-string can't hold every text beside quotes of its own before Python 3.12.
        return " + ".join(
            part.source if isinstance(part, Expression) else repr(part) for part in parts
        )
    values: list[ast.expr] = [
        ast.FormattedValue(ast.parse(part.source, mode="eval").body, -1)
        if isinstance(part, Expression)
        else ast.Constant(part)
        for part in parts
    ]
    return ast.unparse(ast.JoinedStr(values))


def replaced(parts: Sequence[Part], expressions: Mapping[str, str]) -> list[Part]:
    """Return the parts with each key of `expressions`, where it is a word, as its expression."""
    keys = sorted(filter(None, expressions), key=len, reverse=True)
    if not keys:
        return list(parts)
    words = re.compile(
        r"(?:(?<!\w)|(?<=%[0-9A-Fa-f]{2}))(" + "|".join(map(re.escape, keys)) + r")(?!\w)"
    )
    made: list[Part] = []
    for part in parts:
        if isinstance(part, Expression):
            made.append(part)
            continue
        pieces = words.split(part)
        made += [
            Expression(expressions[piece]) if number % 2 else piece
            for number, piece in enumerate(pieces)
            if piece
        ]
    return made


def comment(text: str) -> str:
    """Return text that is safe in a docstring: one line, and nothing in it ends the docstring."""
    return "".join("_" if one in '"\\' or not one.isprintable() else one for one in text)


def mapping(entries: Mapping[str, str]) -> str:
    """Return a dict of expressions."""
    return "{" + ", ".join(f"{name!r}: {value}" for name, value in entries.items()) + "}"


def pairs(entries: Sequence[tuple[str, str]]) -> str:
    """Return a dict of expressions, or a list of pairs when a name stands twice."""
    if len({name for name, _ in entries}) == len(entries):
        return mapping(dict(entries))
    return "[" + ", ".join(f"({name!r}, {value})" for name, value in entries) + "]"
