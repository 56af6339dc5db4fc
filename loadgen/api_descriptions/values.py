"""An example for a schema: the description's own, else one made of its type and bounds."""

import math
import re
from decimal import Decimal
from typing import Any

from loadgen.api_descriptions.description import Description, Node
from loadgen.shared.request_names import UUID

DEEPEST = 8
_BY_FORMAT = {
    "date": "2026-01-15",
    "date-time": "2026-01-15T10:00:00Z",
    "time": "10:00:00Z",
    "duration": "PT1H",
    "uuid": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "email": "user@example.org",
    "uri": "https://example.org/",
    "url": "https://example.org/",
    "hostname": "example.org",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "byte": "ZXhhbXBsZQ==",
    "binary": "example",
}

MADE_UP = frozenset(_BY_FORMAT.values())
"""Texts that are nobody's: they are made here."""


def is_uuid(text: str) -> bool:
    """Tell whether a text is a UUID."""
    return re.fullmatch(UUID, text) is not None


def given_example(description: Description, holder: Node) -> tuple[bool, Any]:
    """Return whether a parameter or media type has an example of its own, and which."""
    if "example" in holder:
        return True, holder["example"]
    examples = holder.get("examples")
    if isinstance(examples, dict):
        for one in examples.values():
            found = description.resolved(one)
            if "value" in found:
                return True, found["value"]
    return False, None


def example(description: Description, holder: Node) -> Any:  # noqa: ANN401 - JSON is anything
    """Return what to send for a parameter or media type."""
    given, value = given_example(description, holder)
    return value if given else of_schema(description, holder.get("schema"))


def files_of(description: Description, schema: object) -> list[str]:
    """Return the names of a form's fields that are files."""
    properties = _merged(description, schema).get("properties")
    if not isinstance(properties, dict):
        return []
    return [str(name) for name, one in properties.items() if _is_file(description, one)]


def _is_file(description: Description, schema: object, depth: int = 0) -> bool:
    node = _merged(description, schema)
    if depth == 0 and "items" in node:
        return _is_file(description, node["items"], 1)
    media = str(node.get("contentMediaType", ""))
    # 3.1 says nothing of the type of what is bytes.
    return node.get("format") == "binary" or (bool(media) and "json" not in media)


def of_schema(description: Description, schema: object, depth: int = 0) -> Any:  # noqa: ANN401
    """Return a value that fits a schema; cycles end where they may."""
    node = _merged(description, schema)
    for name in ("example", "const", "default"):
        if name in node:
            return node[name]
    for name in ("examples", "enum"):
        if isinstance(node.get(name), list) and node[name]:
            return node[name][0]
    for name in ("oneOf", "anyOf"):
        if isinstance(node.get(name), list) and node[name] and depth < DEEPEST:
            return _chosen(description, node, node[name][0], depth)
    return _of_type(description, node, depth)


def _chosen(description: Description, node: Node, choice: object, depth: int) -> Any:  # noqa: ANN401
    """Return a value of one choice, with the properties that all choices have beside them."""
    value = of_schema(description, choice, depth + 1)
    if not isinstance(value, dict):
        return value
    common = _object(description, node, depth) if "properties" in node else {}
    told = node.get("discriminator")
    if isinstance(told, dict) and isinstance(choice, dict) and isinstance(choice.get("$ref"), str):
        mapping = told.get("mapping")
        named = mapping.items() if isinstance(mapping, dict) else ()
        own = choice["$ref"].rpartition("/")[2]
        kinds = [kind for kind, place in named if str(place).rpartition("/")[2] == own]
        value = {**value, str(told.get("propertyName")): (*kinds, own)[0]}
    return {**common, **value}


def _of_type(description: Description, node: Node, depth: int) -> Any:  # noqa: ANN401
    simple = {"boolean": True, "null": None}
    kind = _type(node)
    if kind in simple:
        return simple[kind]
    match kind:
        case "object":
            return _object(description, node, depth)
        case "array":
            return _array(description, node, depth)
        case "integer" | "number":
            return int(_number(node)) if kind == "integer" else _number(node)
    return _text(node)


def _array(description: Description, node: Node, depth: int) -> list[Any]:
    least = node.get("minItems")
    wanted = max(least if isinstance(least, int) else 0, 1 if depth < 3 else 0)
    if depth >= DEEPEST:
        return []
    return [of_schema(description, node.get("items"), depth + 1)] * min(wanted, 10)


def _type(node: Node) -> str:
    kind = node.get("type")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    return "object" if "properties" in node else "array" if "items" in node else "string"


def _object(description: Description, node: Node, depth: int) -> Node:
    properties = node.get("properties")
    if not isinstance(properties, dict) or depth >= DEEPEST:
        return {}
    required = node.get("required") or []
    made = {}
    for name, schema in properties.items():
        inside = _merged(description, schema)
        if schema is False or inside.get("readOnly") or (name not in required and depth >= 2):
            continue
        made[str(name)] = of_schema(description, schema, depth + 1)
    return made


def _number(node: Node) -> float:
    value, step = _bounded(node), node.get("multipleOf")
    if isinstance(step, int | float) and step > 0 and value / step < 1e15:
        # In decimals, as it was written: 3 times 0.1 is 0.3.
        return float(math.ceil(value / step) * Decimal(str(step)))
    return value


def _bounded(node: Node) -> float:
    """Return a number within the bounds: the least, 1 without one, or between two near ones."""
    low, low_open = _bound(node, "minimum", "exclusiveMinimum")
    high, high_open = _bound(node, "maximum", "exclusiveMaximum")
    least = 1.0 if low is None else low + low_open
    if high is None or least < high or (least == high and not high_open):
        return least
    if low is None:
        return high - 1 if high_open else high
    return (low + high) / 2


def _bound(node: Node, name: str, exclusive: str) -> tuple[float | None, bool]:
    """Return a bound, and whether it is no value itself; 3.0 says the latter by a flag."""
    value, flag = node.get(name), node.get(exclusive)
    if isinstance(flag, int | float) and not isinstance(flag, bool):
        return float(flag), True
    if isinstance(value, int | float):
        return float(value), flag is True
    return None, False


def _text(node: Node) -> str:
    text = _BY_FORMAT.get(str(node.get("format")), "example")
    least, most = node.get("minLength"), node.get("maxLength")
    if isinstance(least, int):
        text = text.ljust(min(least, 1000), "x")
    return text[:most] if isinstance(most, int) and most >= 0 else text


def _merged(description: Description, schema: object, depth: int = 0) -> Node:
    """Return a schema with its reference followed and its `allOf` joined, whatever is in them."""
    node = description.resolved(schema)
    parts = node.get("allOf")
    if not isinstance(parts, list) or depth >= DEEPEST:
        return node
    merged: Node = {key: value for key, value in node.items() if key != "allOf"}
    for part in parts[:20]:
        one = _merged(description, part, depth + 1)
        properties = {**(merged.get("properties") or {}), **(one.get("properties") or {})}
        required = [*(merged.get("required") or []), *(one.get("required") or [])]
        merged = {**one, **merged}
        if properties:
            merged["properties"] = properties
        if required:
            merged["required"] = required
    merged.pop("allOf", None)
    return merged
