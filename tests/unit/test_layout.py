"""The sizes of the house: no room with more than its share, no drawer that is too full."""

import re
import subprocess
from collections import Counter
from pathlib import Path

from loadgen.shared.project import PROJECT

# The largest is the public API of scenarios: an HTTP client of its own, a user for each protocol.
LARGEST_SHARE = 0.15
MODULES_MAX = 20


def _modules(*tops: str) -> list[Path]:
    return [path for top in tops for path in (PROJECT / top).rglob("*.py")]


def test_no_package_holds_more_than_its_share_of_the_code() -> None:
    lines: Counter[str] = Counter()
    for path in _modules("loadgen", "exporter", "locustfiles"):
        package = path.relative_to(PROJECT).parts[:-1][:2]
        lines["/".join(package)] += len(path.read_text().splitlines())
    shares = {package: count / lines.total() for package, count in lines.items()}

    assert {package: share for package, share in shares.items() if share >= LARGEST_SHARE} == {}


def test_no_folder_holds_more_modules_than_a_reader_can_keep_in_mind() -> None:
    folders = Counter(
        str(path.parent.relative_to(PROJECT))
        for path in _modules("loadgen", "exporter", "locustfiles", "playbooks", "tests")
    )

    assert {folder: count for folder, count in folders.items() if count > MODULES_MAX} == {}


def test_every_module_that_the_documentation_names_is_there() -> None:
    named = {
        path
        for page in (PROJECT / "docs").glob("*.md")
        for path in re.findall(
            r"`((?:loadgen|exporter|locustfiles|playbooks|tests)/[\w/.-]+)`", page.read_text()
        )
    }

    assert {path for path in named if not (PROJECT / path).exists()} == set()


def test_no_file_speaks_of_packages_that_are_no_more() -> None:
    gone = re.compile(
        r"\boperations[./](?!md\b)\w|-m operations\b|\blocustfiles[./]clients\b"
        r"|\bexporter[./](publisher|reporter|ledger)\b|(?<![\w./])simulators[./]\w+\.py\b"
    )
    kept = subprocess.run(
        ["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True, check=False
    ).stdout.split("\0")
    speaking = [
        f"{name}: {found.group()}"
        for name in kept
        if name.endswith((".py", ".md", ".yml", ".j2", ".toml", "Makefile"))
        and name not in ("CHANGELOG.md", "tests/unit/test_layout.py")
        # They say where the modules of release 0.1 are now.
        and name not in ("loadgen/scenario/moved.py", "tests/unit/cluster/test_inspection.py")
        and (PROJECT / name).is_file()
        and (found := gone.search((PROJECT / name).read_text()))
    ]

    assert speaking == []


def test_a_word_of_the_house_is_the_name_of_one_class() -> None:
    words = ("Outcome", "Inventory", "Ledger", "Totals", "Request", "Session", "Plan")
    named = Counter(
        name
        for path in _modules("loadgen", "exporter", "locustfiles")
        for name in re.findall(r"^class (\w+)", path.read_text(), re.M)
    )

    assert {word: named[word] for word in words if named[word] > 1} == {}
