"""A description's schemas as JSON Schema 2020-12, the form in which answers are checked."""

import re
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from loadgen.api_descriptions.description import Description, Node

_NAMES_WITHIN = ("properties", "patternProperties", "$defs", "dependentSchemas")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "not", "if", "then", "else", "contains")
_UNCHECKED = {"example", "examples", "discriminator", "xml", "externalDocs", "deprecated", "format"}
PREFIX = "#/components/schemas/"


def components(description: Description) -> Node:
    """Return the schemas that others refer to, by name."""
    parts = description.document.get("components")
    schemas = parts.get("schemas") if isinstance(parts, dict) else None
    if not isinstance(schemas, dict):
        return {}
    return {str(name): converted(description, schema) for name, schema in schemas.items()}


def converted(description: Description, schema: object) -> Any:  # noqa: ANN401 - or a boolean
    """Return one schema; a reference that leads out of the file allows anything."""
    if not isinstance(schema, dict):
        return schema if isinstance(schema, bool) else True
    if "$ref" in schema:
        return _reference(description, schema)
    made: Node = {}
    for name, value in schema.items():
        if name in _UNCHECKED or str(name).startswith("x-"):
            continue
        made[str(name)] = _part(description, str(name), value)
    made = _nullable(_bounds(made)) if description.is_3_0 else made
    return made if _is_sound(made) else True


def _is_sound(schema: Node) -> bool:
    """Tell whether a schema can be checked at all: its keywords, and its pattern in Python."""
    own = {name: value for name, value in schema.items() if name not in {*_NAMES_WITHIN, *_LISTS}}
    try:
        Draft202012Validator.check_schema(own)
        re.compile(str(own.get("pattern", "")))
    except (SchemaError, re.error):
        return False
    return True


def _part(description: Description, name: str, value: Any) -> Any:  # noqa: ANN401
    if name in _NAMES_WITHIN and isinstance(value, dict):
        return {str(key): converted(description, one) for key, one in value.items()}
    if name in _LISTS and isinstance(value, list):
        return [converted(description, one) for one in value]
    if name in _SINGLE:
        return converted(description, value)
    return value


def _reference(description: Description, schema: Node) -> Any:  # noqa: ANN401
    reference = str(schema["$ref"])
    if not reference.startswith(PREFIX):
        # This is rare, and such a schema is not among those that are written beside the
        # locustfile.
        description.resolved(schema)
        description.unread.add(reference)
        return True
    if not description.resolved(schema):
        return True
    made: Node = {"$ref": reference}
    return _nullable(made | {"nullable": True}) if schema.get("nullable") else made


def _bounds(schema: Node) -> Node:
    """Write 3.0's exclusive bounds, which are flags, as numbers."""
    for flag, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(flag), bool) and schema.pop(flag) and bound in schema:
            schema[flag] = schema.pop(bound)
    return schema


def _nullable(schema: Node) -> Node:
    if not schema.pop("nullable", False):
        return schema
    if "enum" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    if isinstance(schema.get("type"), str):
        return {**schema, "type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}
