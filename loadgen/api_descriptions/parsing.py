"""Reads YAML or JSON as descriptions of APIs have it.

OpenAPI's YAML is that of 1.2: `no`, `on` and dates are texts there, as what has no digits is.
"""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from loadgen.shared.errors import UsageError
from loadgen.shared.text import plain_line, require_few_values

LARGEST_BYTES = 32 * 1024 * 1024
DEEPEST = 60
VALUES_MAX, MARKS_MAX = 40_000_000, 2_000_000
"""In JSON a list or a map counts as twenty; in YAML a line, an entry and a bracket as one each."""
_MARKS = ("\n", "\r", "- ", ",", "[", "{")
LARGEST_EXPANDED = 3_000_000
_HALF_OF_A_PAIR = re.compile(r"\\u[dD][89a-fA-F]")


class _Loader(yaml.CSafeLoader):
    """A safe loader with the plain values of YAML 1.2; `twice` are keys that stand twice."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.twice: list[str] = []

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        self.twice += _repeated([str(key) for key in keys])
        self.flatten_mapping(node)
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                # JSON's keys are texts; to Python, 1 and true would be one key.
                key.tag = "tag:yaml.org,2002:str"
        return super().construct_mapping(node, deep)


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(0|[1-9][0-9]*)|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?([0-9]*\.[0-9]+|[0-9]+(\.|(?=[eE])))([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(
        f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first)
    )


def parse(path: Path) -> tuple[object, list[str]]:
    """Return what is in a file, and the keys that stand twice in one object.

    Raises UsageError, one sentence, when it can't be read or is neither YAML nor JSON.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except OSError as fault:
        raise UsageError(
            f"{path} can't be read: {fault.strerror}; give the path of an OpenAPI file"
        ) from fault
    if len(content) > LARGEST_BYTES:
        raise UsageError(
            f"{path} has more than {LARGEST_BYTES / 1e6:.0f} MB, which is the most "
            f"that can be read: give a smaller description"
        )
    try:
        text = content.decode("utf-8-sig")
        document, twice = _json(text) if text.lstrip().startswith("{") else _yaml(text)
        _require_shallow(document)
    except UnicodeDecodeError as fault:
        raise UsageError(
            f"{path} is not UTF-8 text, so it is not an OpenAPI description; export it as JSON or"
            " YAML"
        ) from fault
    except (yaml.YAMLError, ValueError, RecursionError) as fault:
        reason = plain_line(" ".join(str(fault).split()))[:200] or type(fault).__name__
        raise UsageError(
            f"{path} can't be read as YAML or JSON: {reason}; export it again"
        ) from fault
    return document, twice


def _json(text: str) -> tuple[object, list[str]]:
    twice: list[str] = []

    def noted(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        twice.extend(_repeated([name for name, _ in pairs]))
        return dict(pairs)

    document = json.loads(require_few_values(text, VALUES_MAX), object_pairs_hook=noted)
    if _HALF_OF_A_PAIR.search(text):
        # Half of a surrogate pair is not text that could be written or sent.
        whole = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
        document = json.loads(whole)
    return document, twice


def _yaml(text: str) -> tuple[object, list[str]]:
    marks = sum(map(text.count, _MARKS))
    if marks > MARKS_MAX:
        raise ValueError(f"it could hold {marks:,} values, but {MARKS_MAX:,} are the most")
    loader = _Loader(text)
    try:
        return loader.get_single_data(), loader.twice
    finally:
        loader.dispose()


def _repeated(keys: list[str]) -> list[str]:
    if len(set(keys)) == len(keys):
        return []
    return sorted({key for key in keys if keys.count(key) > 1})


def _require_shallow(document: object) -> None:
    """Raise ValueError for more than a description has: levels, or what aliases expand to."""
    level: dict[int, object] = {id(document): document}
    for _ in range(DEEPEST):
        level = {id(one): one for node in level.values() for one in _inside(node)}
        if not level:
            break
    else:
        raise ValueError(f"it is nested deeper than {DEEPEST} levels")
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
