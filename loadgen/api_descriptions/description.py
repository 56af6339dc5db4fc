"""Reads an OpenAPI description, 3.0 or 3.1, in YAML or JSON; references stay within the file."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from referencing import Registry, Resource
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from loadgen.api_descriptions.parsing import parse
from loadgen.shared.errors import UsageError
from loadgen.shared.text import plain_line

METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "trace")
_OTHERS = {
    "asyncapi": "an AsyncAPI description, which doesn't describe HTTP requests",
    "log": "a recording (HAR): give it to loadgen record",
    "__export_format": "an export of Insomnia: export it as HAR, and give that to loadgen record",
    "webhooks": "only a description of webhooks, which the API itself calls, so there "
    "is nothing to send requests to",
    "$schema": "a JSON Schema, which describes no operations",
}
Node = dict[str, Any]


@dataclass
class Description:
    """A description. `unread` names the references that lead out of the file, or nowhere.

    `own_servers` are the paths that are to be asked of another server than the rest; `notes` are
    sentences on what a person should look at.
    """

    path: Path
    document: Node
    unread: set[str] = field(default_factory=set)
    own_servers: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

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
    document, twice = parse(path)
    if not isinstance(document, dict):
        raise UsageError(
            f"{path} is not an OpenAPI description: its top level is not an object "
            f"with the field paths; give the openapi.json or openapi.yaml that the "
            f"API publishes"
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
    kind = next((kind for key, kind in _OTHERS.items() if key in document), "")
    if kind and "paths" not in document:
        raise UsageError(f"{path} is {kind}")
    version = str(document.get("openapi", ""))
    if not version.startswith(("3.0", "3.1")):
        said = f"is {plain_line(version[:20])!r}" if version else "is missing"
        raise UsageError(
            f"{path} can't be used: its field openapi {said}, but it must be a version of OpenAPI "
            "3.0 or 3.1; give a description in one of these versions"
        )
    if not isinstance(document.get("paths"), dict) or not document["paths"]:
        raise UsageError(
            f"{path} describes no paths, so there is nothing to send requests to: give "
            f"a description with paths"
        )
    made = Description(path, document)
    if twice:
        named = ", ".join(plain_line(key)[:80] for key in dict.fromkeys(twice))
        made.notes.append(
            f"the file has these keys twice, and only the last value of each is used: {named[:300]}"
        )
    return made
