"""Examples of a description that are somebody's keys: the environment has them, or nothing."""

import re
from typing import Any

from loadgen.api_descriptions import values
from loadgen.api_descriptions.description import Description
from loadgen.shared.secret_names import address_tokens, is_query_secret, is_secret, looks_random

PLACES = ("path", "query", "headers", "cookies")
LEFT_OUT = "example"


def variable_of(name: str) -> str:
    """Return the environment variable for a secret of this name."""
    return "SCAFFOLD_" + re.sub(r"\W+", "_", name, flags=re.ASCII).upper()


def take_out_secrets(
    description: Description, operation: str, path: str, sent: dict[str, Any]
) -> None:
    """Replace keys and tokens in what an operation sends; a body's by a text that is none."""
    for place in PLACES:
        for name, value in list(sent.get(place, {}).items()):
            if isinstance(value, str) and _is_secret(place, name, value, path):
                del sent[place][name]
                sent.setdefault("secrets", []).append((place, name, "", variable_of(name)))
    for place in ("json", "form", "data"):
        if place in sent:
            found, sent[place] = _cleaned(sent[place])
            if found:
                description.notes.append(
                    f"{operation}: the example of its body has a key or token, which was left out"
                )


def _is_secret(place: str, name: str, value: str, path: str) -> bool:
    if is_secret(value):
        return True
    if value in values.MADE_UP or not (looks_random(value, 8, 0.15) or values.is_uuid(value)):
        return False
    if place != "path":
        return is_query_secret(name, value)
    filled = path.replace(f"{{{name}}}", value)
    return value in (filled[one.start : one.end] for one in address_tokens(filled))


def _cleaned(node: Any) -> tuple[bool, Any]:  # noqa: ANN401 - JSON is anything
    """Return whether a value has keys or tokens in it, and the value without them."""
    if isinstance(node, dict):
        pairs = {name: _cleaned(one) for name, one in node.items()}
        return any(found for found, _ in pairs.values()), {n: one for n, (_, one) in pairs.items()}
    if isinstance(node, list):
        each = [_cleaned(one) for one in node]
        return any(found for found, _ in each), [one for _, one in each]
    if isinstance(node, str) and is_secret(node):
        return True, LEFT_OUT
    return False, node
