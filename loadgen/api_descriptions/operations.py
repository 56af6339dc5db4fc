"""What each operation sends, and which answers are right, of a description."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from loadgen.api_descriptions import schemas, values
from loadgen.api_descriptions.description import METHODS, Description, Node
from loadgen.api_descriptions.secret_examples import take_out_secrets, variable_of
from loadgen.shared.origin import FORM, is_header

JSON = "application/json"
_WORDS = re.compile(r"[^0-9a-zA-Z]+|(?<=[a-z0-9])(?=[A-Z])")
LONGEST_NAME = 60
_PLACES = {"header": "headers", "query": "query", "cookie": "cookies"}


@dataclass
class Operation:
    """One operation. `sent` is as `ApiUser.examples` has it; `answers` are schemas by status."""

    name: str
    method: str
    path: str
    summary: str
    sent: dict[str, Any]
    answers: dict[str, Any]

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that hold its secrets, each with the form of its value."""
        return {
            variable: "user:password" if before == "Basic " else "the key or token"
            for _, _, before, variable in self.sent.get("secrets", ())
        }

    @property
    def writes(self) -> bool:
        """Whether it changes the system."""
        return self.method not in {"GET", "HEAD", "OPTIONS", "TRACE"}


def operations(description: Description) -> list[Operation]:
    """Return a description's operations, in its order."""
    found: list[Operation] = []
    taken: set[str] = set()
    for path, item in description.document["paths"].items():
        if str(path).startswith("x-"):
            continue
        if not str(path).startswith("/"):
            description.notes.append(f"left out, because it doesn't begin with a slash: {path}")
        whole = description.resolved(item)
        if any("servers" in one for one in (whole, *whole.values()) if isinstance(one, dict)):
            description.own_servers.append(str(path))
        for method in METHODS:
            node = whole.get(method)
            if not isinstance(node, dict) or not str(path).startswith("/"):
                continue
            name = _name(method, str(node.get("operationId") or path), taken)
            taken.add(name)
            found.append(_operation(description, name, method, str(path), {**node, "_item": whole}))
    return found


def _operation(
    description: Description, name: str, method: str, path: str, node: Node
) -> Operation:
    sent: dict[str, Any] = {}
    for parameter in _parameters(description, node):
        _place(description, sent, parameter)
    for missing in re.findall(r"{([^{}]+)}", path):
        sent.setdefault("path", {}).setdefault(missing, "1")
    _body(description, sent, description.resolved(node.get("requestBody")))
    take_out_secrets(description, f"{method.upper()} {path}", path, sent)
    made = Operation(
        name=name,
        method=method.upper(),
        path=path,
        summary=str(node.get("summary") or node.get("operationId") or ""),
        sent=sent,
        answers=_answers(description, node),
    )
    _authorise(description, made, node)
    return made


def _name(method: str, text: str, taken: set[str]) -> str:
    words = [word.lower() for word in _WORDS.split(text) if word and word.isascii()]
    if words[:1] != [method]:
        words = [method, *words]
    name = "_".join(words)[:LONGEST_NAME].rstrip("_")
    number = 2
    made = name if len(words) > 1 else f"{name}_root"
    while made in taken:
        made = f"{name}_{number}"
        number += 1
    return made


def _parameters(description: Description, node: Node) -> Iterator[Node]:
    """Yield parameters, the operation's own in place of its path's."""
    by_name: dict[tuple[str, str], Node] = {}
    for holder in (node["_item"], node):
        for one in holder.get("parameters") or []:
            parameter = description.resolved(one)
            by_name[str(parameter.get("in")), str(parameter.get("name"))] = parameter
    yield from by_name.values()


def _place(description: Description, sent: dict[str, Any], parameter: Node) -> None:
    place, name = str(parameter.get("in")), str(parameter.get("name"))
    content = parameter.get("content")
    holder = next(iter(content.values()), {}) if isinstance(content, dict) else parameter
    has_example, _ = values.given_example(description, holder)
    if place != "path" and not parameter.get("required") and not has_example:
        return
    value = values.example(description, holder)
    if isinstance(content, dict) and not isinstance(value, str):
        value = json.dumps(value, default=str)
    match place:
        case "query":
            sent.setdefault(place, {}).update(_query(parameter, name, value))
        case "path":
            sent.setdefault(place, {})[name] = _in_path(parameter, name, value)
        case "header" if not is_header(name, str(_joined(value, ","))):
            description.notes.append(f"left out, because HTTP can't carry it: the header {name!a}")
        case "header" if name.lower() not in {"accept", "content-type", "authorization"}:
            sent.setdefault("headers", {})[name] = str(_joined(value, ","))
        case "cookie":
            sent.setdefault("cookies", {})[name] = str(value)


def _query(parameter: Node, name: str, value: Any) -> dict[str, Any]:  # noqa: ANN401
    """Return a parameter's pairs, as its style and explode say."""
    style = str(parameter.get("style", "form"))
    explode = parameter.get("explode", style == "form")
    if isinstance(value, dict) and style == "deepObject":
        return {f"{name}[{key}]": one for key, one in value.items()}
    if isinstance(value, dict) and explode:
        return {str(key): one for key, one in value.items()}
    if explode and isinstance(value, list):
        return {name: value}
    return {name: _joined(value, {"spaceDelimited": " ", "pipeDelimited": "|"}.get(style, ","))}


def _in_path(parameter: Node, name: str, value: Any) -> Any:  # noqa: ANN401 - JSON is anything
    """Return a parameter's value as its place in the path has it, by style and explode."""
    style, explode = str(parameter.get("style", "simple")), parameter.get("explode") is True
    if style not in {"label", "matrix"}:
        pairs = isinstance(value, dict) and explode
        return _joined([f"{key}={one}" for key, one in value.items()] if pairs else value, ",")
    mark = "." if style == "label" else ";"
    parts = [value]
    if explode and isinstance(value, list):
        parts = value
    elif explode and isinstance(value, dict):
        return "".join(f"{mark}{key}={_joined(one, ',')}" for key, one in value.items())
    before = f"{mark}{name}=" if style == "matrix" else mark
    return "".join(f"{before}{_joined(one, ',')}" for one in parts)


def _joined(value: Any, separator: str) -> Any:  # noqa: ANN401 - JSON is anything
    """Return a list or an object as one text; anything else stays."""
    if isinstance(value, dict):
        value = [part for pair in value.items() for part in pair]
    if not isinstance(value, list):
        return value
    return separator.join(one if isinstance(one, str) else json.dumps(one) for one in value)


def _body(description: Description, sent: dict[str, Any], body: Node) -> None:
    content = body.get("content")
    if not isinstance(content, dict) or not content:
        return
    kinds = [str(kind) for kind in content]
    kind = next((one for one in kinds if "json" in one), None)
    kind = kind or next((one for one in kinds if one == FORM), kinds[0])
    holder = description.resolved(content[kind])
    value = values.example(description, holder)
    if "*" in kind:
        kind = JSON if isinstance(value, Mapping | list) else "text/plain"
    sent["type"] = kind
    if "json" in kind:
        sent["json"] = value
    elif isinstance(value, Mapping) and (kind == FORM or kind.startswith("multipart/")):
        sent["form"] = {str(name): one for name, one in value.items()}
        files = values.files_of(description, holder.get("schema"))
        if files and kind != FORM:
            sent["files"] = files
    elif isinstance(value, Mapping | list):
        description.notes.append(
            f"a body of {kind} can't be generated from a schema: write it yourself"
        )
        sent["data"] = ""
    else:
        sent["data"] = str(value)


def _answers(description: Description, node: Node) -> dict[str, Any]:
    """Return the schema of each right answer, by its status: null when nothing is said of it."""
    found: dict[str, Any] = {}
    responses = node.get("responses")
    for status, one in (responses if isinstance(responses, dict) else {}).items():
        code = str(status).upper()
        if not code.startswith(("2", "3")) and code != "DEFAULT":
            continue
        content = description.resolved(one).get("content")
        kinds = content if isinstance(content, dict) else {}
        kind = next((name for name in kinds if "json" in str(name)), None)
        holder = description.resolved(kinds[kind]) if kind else {}
        schema = holder.get("schema")
        found[code] = None if schema is None else schemas.converted(description, schema)
    if any(code != "DEFAULT" for code in found):
        # By convention the remaining answer describes errors.
        found.pop("DEFAULT", None)
    return found or {"2XX": None}


def _authorise(description: Description, operation: Operation, node: Node) -> None:
    """Note the secrets of the first authentication scheme that can be used."""
    wanted = node.get("security", description.document.get("security"))
    ways = [one for one in wanted if isinstance(one, dict)] if isinstance(wanted, list) else []
    if not ways or {} in ways:
        return
    found = [[_secret(description, str(name)) for name in way] for way in ways]
    chosen = next((way for way in found if all(way)), None)
    if chosen is None:
        named = ", ".join(dict.fromkeys(str(name) for way in ways for name in way))
        description.notes.append(
            f"{operation.method} {operation.path} is sent without its authentication, "
            f"because the description doesn't say enough about it: {named}"
        )
        return
    operation.sent.setdefault("secrets", []).extend(secret for secret in chosen if secret)


def _secret(description: Description, name: str) -> tuple[str, str, str, str] | None:
    """Return where a scheme's secret goes, its name there, what comes before it, its variable."""
    parts = description.document.get("components")
    schemes = parts.get("securitySchemes") if isinstance(parts, dict) else None
    scheme = description.resolved(schemes.get(name) if isinstance(schemes, dict) else None)
    variable = variable_of(name)
    kind, place = scheme.get("type"), str(scheme.get("in"))
    way = str(scheme.get("scheme")).lower()
    if kind == "apiKey" and place in _PLACES:
        return _PLACES[place], str(scheme.get("name")), "", variable
    if kind == "http" and way == "basic":
        return "headers", "Authorization", "Basic ", variable
    if kind in {"oauth2", "openIdConnect"} or (kind == "http" and way == "bearer"):
        return "headers", "Authorization", "Bearer ", variable
    return None
