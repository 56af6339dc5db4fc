"""Reads YAML that people write, and nothing that only a machine would.

Safe types only; no anchors or aliases (they make files that grow without bound when read), no
duplicate keys, and limits on size and depth.
"""

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from loadgen.shared.errors import UsageError

BYTES_MAX = 256 * 1024
DEPTH_MAX = 20
UNREADABLE = (
    *(yaml.YAMLError, LookupError, TypeError, AttributeError, ValueError, RecursionError),
)


class _Loader(yaml.SafeLoader):
    """SafeLoader with the limits above."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise self._fault(
                "an alias (*name), which is not allowed in a specification: write out the value"
            )
        self.depth += 1
        if self.depth > DEPTH_MAX:
            raise self._fault(f"more than {DEPTH_MAX} levels of nesting")
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:  # noqa: ANN401
        if "\0" in str(node.value):
            raise _fault("a NUL character, which is not allowed in a path or an argument", node)
        return super().construct_scalar(node)

    def _fault(self, what: str) -> yaml.MarkedYAMLError:
        return _fault(what, self.peek_event())  # type: ignore[no-untyped-call]

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _fault("a list or a mapping as a field's name", key)
            if key.value in seen:
                raise _fault(f"the field {key.value} twice", key)
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


def _fault(what: str, at: Any) -> yaml.MarkedYAMLError:  # noqa: ANN401  an event or a node
    return yaml.MarkedYAMLError(problem=f"it has {what}", problem_mark=at.start_mark)


def load_mapping(path: Path) -> dict[str, Any]:
    """Read a file that holds one mapping. UsageError names the file, the line and the rule."""
    text = _read(path)
    try:
        # The loader is a SafeLoader.
        document = yaml.load(text, Loader=_Loader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise UsageError(f"{path}{line} can't be read as YAML: {error.problem}") from error
    except UNREADABLE as error:
        raise UsageError(f"{path} can't be read as YAML: {error}") from error
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise UsageError(
            f"{path} is of the type {type(document).__name__}, but it must contain "
            f"fields, one on each line, such as 'users: 100'"
        )
    return document


def _read(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > BYTES_MAX:
            raise UsageError(
                f"{path} has {size:,} bytes, but at most {BYTES_MAX:,} bytes are allowed"
            )
        return path.read_text()
    except OSError as error:
        raise UsageError(f"{path} can't be read ({error.strerror}): give a YAML file") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} can't be read: it is not UTF-8 text") from error
