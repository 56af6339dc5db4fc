"""Brings made source into the house's form: formatted, and clean under the project's own check."""

import json
import subprocess
import sys
from collections.abc import Sequence

from loadgen.shared.project import PROJECT

_RUFF = [sys.executable, "-m", "ruff"]
_OWN_RULES = ["--isolated", "--quiet", "--line-length", "100"]
# What texts from elsewhere may break: their length and number, letters that look like others, and
# words that look like passwords.
FROM_ELSEWHERE = ("E501", "PLR0915", "RUF001", "RUF002", "S104", "S105", "S106", "S108")


def format_source(text: str) -> str:
    """Sort the imports, drop those that are not used, format, and name what texts can't help."""
    for command in (["check", "--fix", "--select", "F401,I"], ["format"]):
        text = _ruff([*command, *_OWN_RULES], text)
    excused = _excused(text)
    if not excused:
        return text
    return f"# ruff: noqa: {', '.join(excused)} - its texts are kept as they came\n{text}"


def _excused(text: str) -> list[str]:
    house = PROJECT / "pyproject.toml"
    if not house.is_file():
        return []
    options = ["check", "--quiet", "--exit-zero", "--output-format", "json", "--config", str(house)]
    found = {str(one["code"]) for one in json.loads(_ruff(options, text))}
    return sorted(found & set(FROM_ELSEWHERE))


def _ruff(options: Sequence[str], text: str) -> str:
    return subprocess.run(
        [*_RUFF, *options, "-"], input=text, capture_output=True, text=True, check=True
    ).stdout
