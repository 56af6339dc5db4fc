"""The sizes of the house: no room with more than its share, no drawer that is too full."""

from collections import Counter
from pathlib import Path

from loadgen.shared.project import PROJECT

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
