"""Reads an OpenAPI description, 3.0 or 3.1, in YAML or JSON; references stay within the file."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from loadgen.shared.errors import UsageError
from loadgen.shared.text import plain_line

LARGEST_BYTES = 32 * 1024 * 1024
DEEPEST = 60
LARGEST_EXPANDED = 3_000_000
METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
Node = dict[str, Any]


@dataclass
class Description:
    """A description. `unread` names the references that lead out of the file, or nowhere.

    `own_servers` are the paths that are to be asked of another server than the rest.
    """

    path: Path
    document: Node
    unread: set[str] = field(default_factory=set)
    own_servers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Nothing is fetched, so a reference that is not in this registry can't be resolved.
        resource = Resource.from_contents(self.document, default_specification=DRAFT202012)
        self._resolver = Registry().with_resource("", resource).resolver()

    def resolved(self, node: object) -> Node:
        """Return an object, or what its references lead to; an empty one when that is nowhere."""
        seen = set()
        while isinstance(node, dict) and isinstance(node.get("$ref"), str):
            reference = node["$ref"]
            if reference in seen or not reference.startswith("#"):
                self.unread.add(reference)
                return {}
            seen.add(reference)
            try:
                node = self._resolver.lookup(reference).contents
            except (Unresolvable, ValueError, TypeError, LookupError):
                self.unread.add(reference)
                return {}
        return node if isinstance(node, dict) else {}

    @property
    def is_3_0(self) -> bool:
        """Whether schemas are those of OpenAPI 3.0, which aren't quite JSON Schema's."""
        return str(self.document["openapi"]).startswith("3.0")


def read(path: Path) -> Description:
    """Return a file's description. Raises UsageError, one sentence, when it is none."""
    document = _parse(path)
    if not isinstance(document, dict):
        raise UsageError(
            f"{path} is not an OpenAPI description: it is not an object with `paths`; give what"
            " the API serves as openapi.json or openapi.yaml"
        )
    if "swagger" in document:
        raise UsageError(
            f"{path} is a Swagger description, and only OpenAPI 3.0 and 3.1 can be read: "
            "convert it first, for example with swagger2openapi"
        )
    info = document.get("info")
    if isinstance(info, dict) and "getpostman" in str(info.get("schema")):
        raise UsageError(
            f"{path} is a Postman collection, and only OpenAPI 3.0 and 3.1 can be read: "
            "convert it first, for example with postman-to-openapi, or record a session (loadgen "
            "record)"
        )
    version = str(document.get("openapi", ""))
    if not version.startswith(("3.0", "3.1")):
        said = f"its version is {plain_line(version[:20])!r}" if version else "it names no version"
        raise UsageError(
            f"{path} is not an OpenAPI description of 3.0 or 3.1: {said} (field openapi)"
        )
    if not isinstance(document.get("paths"), dict) or not document["paths"]:
        raise UsageError(f"{path} describes no paths: there is nothing to load")
    return Description(path, document)


def _parse(path: Path) -> object:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except OSError as fault:
        raise UsageError(
            f"{path} can't be read: {fault.strerror}; give the path of an OpenAPI file"
        ) from fault
    if len(content) > LARGEST_BYTES:
        raise UsageError(f"{path} has more than {LARGEST_BYTES / 1e6:.0f} MB: give a smaller one")
    try:
        text = content.decode("utf-8-sig")
        document = json.loads(text) if text.lstrip().startswith("{") else _yaml(text)
        _require_shallow(document)
    except UnicodeDecodeError as fault:
        raise UsageError(
            f"{path} is not UTF-8 text, so it is not an OpenAPI description"
        ) from fault
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        reason = plain_line(" ".join(str(fault).split()))[:200] or type(fault).__name__
        raise UsageError(
            f"{path} is no YAML or JSON that can be read: {reason}; export it again"
        ) from fault
    return document


def _yaml(text: str) -> object:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(text, loader)  # noqa: S506 - a safe loader


def _require_shallow(document: object) -> None:
    """Raise ValueError for more than a description has: levels, or what aliases expand to."""
    level: dict[int, object] = {id(document): document}
    for _ in range(DEEPEST):
        level = {id(one): one for node in level.values() for one in _inside(node)}
        if not level:
            break
    else:
        raise ValueError(f"it nests deeper than {DEEPEST} levels")
    if _expanded(document, {}) > LARGEST_EXPANDED:
        raise ValueError(f"its aliases expand to more than {LARGEST_EXPANDED:,} values")


def _inside(node: object) -> list[object]:
    parts = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return [one for one in parts if isinstance(one, dict | list)]


def _expanded(node: object, known: dict[int, int]) -> int:
    if id(node) not in known:
        own = len(node) if isinstance(node, dict | list) else 0
        known[id(node)] = own + sum(_expanded(one, known) for one in _inside(node))
    return known[id(node)]
