"""Writes recorded values as Python expressions; `self.v` is the session's own values."""

import ast
import re
from collections.abc import Mapping, Sequence

from loadgen.recordings.correlation import Part, Variable


def variable(name: str) -> str:
    """Return the expression for a variable."""
    return f"self.v[{name!r}]"


def text(parts: Sequence[Part]) -> str:
    """Return an expression for text with variables in it."""
    if not any(isinstance(part, Variable) for part in parts):
        return repr("".join(str(part) for part in parts))
    if len(parts) == 1 and isinstance(parts[0], Variable):
        return variable(parts[0].name)
    values: list[ast.expr] = [
        ast.FormattedValue(ast.parse(variable(part.name), mode="eval").body, -1)
        if isinstance(part, Variable)
        else ast.Constant(part)
        for part in parts
    ]
    return ast.unparse(ast.JoinedStr(values))


def around(text: str, expressions: Mapping[str, str]) -> str:
    """Return an expression for text in which each key of `expressions` stands for its value.

    The text came from a site: whatever braces and quotes it has stay text.
    """
    keys = sorted(filter(None, expressions), key=len, reverse=True)
    pieces = re.split("(" + "|".join(map(re.escape, keys)) + ")", text) if keys else [text]
    values: list[ast.expr] = [
        ast.FormattedValue(ast.parse(expressions[piece], mode="eval").body, -1)
        if piece in expressions
        else ast.Constant(piece)
        for piece in pieces
        if piece
    ]
    return ast.unparse(ast.JoinedStr(values))


def comment(text: str) -> str:
    """Return text as it may stand in a docstring, on one line: nothing in it ends the docstring."""
    return "".join("_" if one in '"\\' or not one.isprintable() else one for one in text)


def mapping(entries: Mapping[str, str]) -> str:
    """Return a dict of expressions."""
    return "{" + ", ".join(f"{name!r}: {value}" for name, value in entries.items()) + "}"


def pairs(entries: Sequence[tuple[str, str]]) -> str:
    """Return a dict of expressions, or a list of pairs when a name stands twice."""
    if len({name for name, _ in entries}) == len(entries):
        return mapping(dict(entries))
    return "[" + ", ".join(f"({name!r}, {value})" for name, value in entries) + "]"
