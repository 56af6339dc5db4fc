"""JSON Patch on metadata, as items and submissions take it (RestContract, metadata-patch.md).

A path names a field, `dc.title`, one of its values, `dc.title/0` or `dc.title/-`, or a property
of a value, `dc.title/0/language`.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy

from loadgen.simulators.dspace.hal import ApiError
from loadgen.simulators.dspace.model import Metadata, metadata_value

_FIELDS = """
dc.title dc.title.alternative dc.contributor.author dc.contributor.editor dc.date.issued
dc.type dc.publisher dc.subject dc.description dc.description.abstract
dc.description.sponsorship dc.language.iso dc.identifier.citation dc.identifier.issn
dc.identifier.isbn dc.identifier.doi dc.identifier.uri dc.relation.ispartofseries dc.rights
dc.coverage.spatial dc.source dc.format"""
FIELDS = frozenset(_FIELDS.split())
PROPERTIES = ("value", "language", "authority", "confidence")


def operations(body: object) -> list[Mapping[str, object]]:
    """Return a patch's operations; 400 when the body is not a list of well-formed ones."""
    if not isinstance(body, list):
        raise ApiError(400, "A JSON Patch is a list of operations")
    for operation in body:
        known = isinstance(operation, dict) and operation.get("op") in {
            "add",
            "replace",
            "remove",
            "move",
        }
        if not known or not isinstance(operation.get("path"), str):
            raise ApiError(400, f"Malformed operation: {operation}")
    return body


def patched(
    metadata: Metadata, edits: Iterable[tuple[Mapping[str, object], list[str]]]
) -> Metadata:
    """Return the metadata after every edit (operation, path); 422 when one can't be made."""
    edited = deepcopy(metadata)
    for operation, path in edits:
        _apply(edited, operation, path)
    return {name: values for name, values in edited.items() if values}


def _apply(metadata: Metadata, operation: Mapping[str, object], path: list[str]) -> None:
    kind = operation["op"]
    values = _field(metadata, path[0])
    match kind:
        case "add":
            _add(values, path, operation.get("value"))
        case "replace":
            _replace(values, path, operation.get("value"))
        case "remove":
            _remove(values, path)
        case _:
            origin = str(operation.get("from", "")).split("/")
            source = _field(metadata, origin[-2] if len(origin) > 1 else "")
            target = _index(path[1] if len(path) > 1 else "", values)
            values.insert(target, source.pop(_index(origin[-1], source)))


def _field(metadata: Metadata, name: str) -> list[dict[str, object]]:
    if name not in FIELDS:
        raise ApiError(422, f"The field {name} is not present in the metadata registry")
    return metadata.setdefault(name, [])


def _add(values: list[dict[str, object]], path: list[str], value: object) -> None:
    if len(path) == 1:
        entries = value if isinstance(value, list) else [value]
        values[:] = [_value(entry) for entry in entries]
    else:
        position = len(values) if path[1] == "-" else _position(path[1])
        if position > len(values):
            raise ApiError(422, f"There is no position {position}")
        values.insert(position, _value(value))


def _replace(values: list[dict[str, object]], path: list[str], value: object) -> None:
    if not values:
        raise ApiError(422, f"{path[0]} has no value to replace")
    if len(path) == 1:
        _add(values, path, value)
    elif len(path) == 2:
        position = _index(path[1], values)
        values[position] = _value(value)
    elif path[2] in PROPERTIES:
        values[_index(path[1], values)][path[2]] = value
    else:
        raise ApiError(422, f"A metadata value has no property {path[2]}")


def _remove(values: list[dict[str, object]], path: list[str]) -> None:
    if not values:
        raise ApiError(422, f"{path[0]} has no value to remove")
    if len(path) == 1:
        values.clear()
    else:
        values.pop(_index(path[1], values))


def _value(entry: object) -> dict[str, object]:
    if isinstance(entry, str):
        return metadata_value(entry)
    if not isinstance(entry, dict) or not isinstance(entry.get("value"), str):
        raise ApiError(400, f"A metadata value is an object with a value, not {entry!r}")
    return metadata_value("") | {key: entry[key] for key in PROPERTIES if key in entry}


def _index(text: str, values: list[dict[str, object]]) -> int:
    position = _position(text)
    if position >= len(values):
        raise ApiError(422, f"There is no position {position}")
    return position


def _position(text: str) -> int:
    if not text.isdigit():
        raise ApiError(422, f"{text!r} is not a position")
    return int(text)
