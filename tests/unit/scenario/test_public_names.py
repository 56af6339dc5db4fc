"""What a locustfile may import: `loadgen.scenario.__all__`, written down and kept to."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import loadgen.scenario
from loadgen.shared.project import PROJECT

LOCUSTFILES = [
    *(PROJECT / "locustfiles").rglob("*.py"),
    PROJECT / "loadgen" / "recordings" / "locustfile.jinja2",
]


def _imported(path: Path) -> Iterator[tuple[str, str]]:
    text = path.read_text()
    if path.suffix == ".jinja2":
        text = "\n".join(line for line in text.splitlines() if line.startswith(("from", "import")))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)


def test_every_public_name_is_there_and_in_the_documentation() -> None:
    page = (PROJECT / "docs" / "scenarios.md").read_text()
    section = page.partition("## What a locustfile may import")[2].partition("\n## ")[0]
    table = "".join(line for line in section.splitlines() if line.startswith("| `"))
    names = [cell for row in re.findall(r"\| ([^|]*) \|[^|]*\|", table) for cell in row.split(", ")]

    assert sorted(name.strip("`") for name in names) == sorted(loadgen.scenario.__all__)
    for name in loadgen.scenario.__all__:
        assert getattr(loadgen.scenario, name) is not None


def test_the_locustfiles_of_the_kit_import_public_names_only() -> None:
    strangers = [
        f"{path.name}: {module}.{name}"
        for path in LOCUSTFILES
        for module, name in _imported(path)
        if module.partition(".")[0] == "loadgen"
        and (module != "loadgen.scenario" or name not in loadgen.scenario.__all__)
    ]

    assert not strangers


def test_the_package_alone_brings_neither_locust_nor_gevent() -> None:
    code = "import loadgen.scenario, sys; sys.exit(bool({'locust', 'gevent'} & set(sys.modules)))"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
