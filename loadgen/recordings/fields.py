"""The named values of a request: of its query, and of a body that is a form or JSON."""

import json
import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

from loadgen.recordings import multipart
from loadgen.recordings.exchange import Exchange
from loadgen.shared.origin import FORM
from loadgen.shared.text import BODY_VALUES_MAX, require_few_values

Pairs = list[tuple[str, str]]


class NotAsJsonError(ValueError):
    """A body that is JSON, but that would change if it were written anew."""


def fields(exchange: Exchange) -> Pairs:
    """Return the names and text values of query and body, those deep inside JSON too."""
    return [*query_fields(exchange.url.query), *body_fields(exchange)]


def query_fields(query: str) -> Pairs:
    """Return a query's names and decoded values."""
    return parse_qsl(query, keep_blank_values=True) if query.count("&") < 1000 else []


def body_fields(exchange: Exchange) -> Pairs:
    """Return the names and text values of a body's fields."""
    if exchange.content_type == FORM:
        return form_fields(exchange)
    if exchange.content_type == "multipart/form-data":
        found = multipart.parts(
            exchange.headers["content-type"], exchange.text, exchange.parameters
        )
        return [(name, str(value)) for name, file, _, value in found if not file]
    return json_fields(exchange.text) if "json" in exchange.content_type else []


def json_fields(text: str) -> Pairs:
    """Return the names and text values in a JSON text; none when it is no JSON."""
    try:
        return list(_leaves("", parse_json(text)))
    except (ValueError, RecursionError):
        return []


def form_fields(exchange: Exchange) -> Pairs:
    """Return a form's names and values."""
    if not exchange.body:
        return [(one["name"], one["value"]) for one in exchange.parameters]
    return parse_qsl(exchange.text, keep_blank_values=True)


def is_same_form(body: str, pairs: Pairs) -> bool:
    """Tell whether fields, sent as a form, say what the recorded body said, byte for byte."""
    return _bytes(urlencode(pairs)) == _bytes(body)


def _bytes(form: str) -> list[str]:
    """Return a form's pieces, decoded so that two ways to write one byte are the same."""
    pieces = form.replace("+", " ").split("&")
    return [unquote(piece, encoding="latin-1") for piece in pieces]


def parse_json(text: str) -> Any:  # noqa: ANN401 - JSON is anything
    """Return a JSON text's value.

    Raises ValueError when it is no JSON, a key occurs twice, or a number would change.
    """
    return json.loads(
        require_few_values(text, BODY_VALUES_MAX),
        object_pairs_hook=_object,
        parse_float=_exact,
        parse_constant=_exact,
    )


def _exact(number: str) -> float:
    value = float(number)
    if not math.isfinite(value) or Decimal(number) != Decimal(repr(value)):
        raise NotAsJsonError(f"the number {number} would lose its last digits")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise NotAsJsonError("a key occurs twice")
    return made


def _leaves(name: str, node: object) -> Iterator[tuple[str, str]]:
    if isinstance(node, dict):
        for key, child in node.items():
            yield from _leaves(key, child)
    elif isinstance(node, list):
        for child in node:
            yield from _leaves(name, child)
    elif isinstance(node, str):
        yield name, node
