"""GraphQL's operations in a request, by name. Source: GraphQL over HTTP, "Request Parameters"."""

import json
import re
from typing import Any
from urllib.parse import parse_qs

from loadgen.shared.text import BODY_VALUES_MAX, require_few_values

_NAME = re.compile(r"[_A-Za-z]\w{0,99}", re.ASCII)
_NAMED = re.compile(
    r"(?:\s|#[^\n]*\n)*(?:query|mutation|subscription)\s+([_A-Za-z]\w{0,99})", re.ASCII
)


def operations(body: str | bytes | None, query: str) -> list[str]:
    """Return the names of the operations that a request asks for; none of what is no GraphQL.

    A batch is a list of requests. An operation without a name has none here either.
    """
    if isinstance(body, str) and body.lstrip()[:1] in ("{", "["):
        try:
            asked = json.loads(require_few_values(body, BODY_VALUES_MAX))
        except (ValueError, RecursionError):
            return []
        each = asked if isinstance(asked, list) else [asked]
    else:
        each = [{name: values[0] for name, values in parse_qs(query).items()}]
    names = [_name(one) for one in each if isinstance(one, dict) and _is_graphql(one)]
    return list(dict.fromkeys(filter(None, names)))


def _is_graphql(request: dict[str, Any]) -> bool:
    document = request.get("query")
    if isinstance(document, str):
        return "{" in document
    # A persisted query is known by its hash alone.
    return "operationName" in request and "extensions" in request


def _name(request: dict[str, Any]) -> str:
    given = request.get("operationName")
    if isinstance(given, str) and _NAME.fullmatch(given):
        return given
    found = _NAMED.match(str(request.get("query", "")))
    return found.group(1) if found else ""
