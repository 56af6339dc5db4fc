"""Brings made source into the house's form: formatted, and clean under the project's own check."""

import json
import keyword
import subprocess
from collections.abc import Collection, Sequence

from loadgen.shared.project import PROJECT, PYTHON_MODULE

_RUFF = [*PYTHON_MODULE, "ruff"]
_OWN_RULES = ["--isolated", "--quiet", "--line-length", "100"]
# Rules that texts from elsewhere may break: long lines, magic numbers, look-alike letters, and
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


def module_name(stem: str) -> str:
    """Return a module's name for a file's, whatever is in that."""
    name = "".join(
        letter if letter.isascii() and letter.isalnum() else "_" for letter in stem.lower()
    )
    usable = name[:1].isalpha() and not keyword.iskeyword(name)
    return name if usable else f"made_{name}"


def class_name(stem: str, taken: Collection[str]) -> str:
    """Return a class's name for a file's, none of those that are taken."""
    name = "".join(word.capitalize() for word in module_name(stem).split("_"))
    return f"{name}User" if name in taken or keyword.iskeyword(name) else name


def in_docstring(text: str, longest: int) -> str:
    """Return text that is safe in a docstring: one line, and nothing in it ends the docstring."""
    shown = "".join("_" if one in '"\\' or not one.isprintable() else one for one in text)
    return shown[:longest].rstrip(" .")
