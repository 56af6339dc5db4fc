"""A run's environment variables, as an option or a file gives them."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from loadgen.shared.errors import UsageError, why_unread

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
"""A variable's name."""


def read_variables(path: Path) -> dict[str, str]:
    """Read lines NAME=value; `export` before and quotes around a value are taken off.

    UsageError names the line and the rule.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"--env-file {path} can't be read: {why_unread(error)}; give the path of a file of "
            "lines NAME=value"
        ) from error
    found = {}
    for number, line in enumerate(lines, 1):
        text = line.strip().removeprefix("export ").strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.partition("=")
        if not equals or not VARIABLE.match(name.strip()):
            raise UsageError(f"--env-file {path}, line {number}: each line has to be NAME=value")
        value = value.strip()
        quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
        found[name.strip()] = value[1:-1] if quoted else value
    return found


def split_variables(words: Sequence[str]) -> dict[str, Any]:
    """Return what `--env NAME` and `--env NAME=value` mean: fields of a specification."""
    fields: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not VARIABLE.match(name):
            raise UsageError(f"--env {word} can't be used: give NAME, or NAME=value")
        if equals:
            fields.setdefault("environment", {})[name] = value
        else:
            fields["secrets"] = (*fields.get("secrets", ()), name)
    return fields
