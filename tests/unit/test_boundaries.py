"""The ways across the trust boundaries (docs/security.md) are few, and nothing goes round them."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from loadgen.shared.project import PROJECT

LOADGEN = PROJECT / "loadgen"
RUN_IDS = LOADGEN / "shared" / "run_ids.py"
AGENT_FILES = LOADGEN / "fleet" / "agent_files.py"
FILE_METHODS = {
    "open", "read_text", "read_bytes", "write_text", "write_bytes", "unlink", "mkdir", "rmdir",
    "rename", "replace", "touch", "chmod", "rglob", "glob", "iterdir", "symlink_to", "hardlink_to",
    "rmtree", "copy", "copyfile", "chown", "lchown", "stat", "is_file", "is_dir", "extract",
    "extractall",
}  # fmt: skip
CONFIGURATION = {"release_directory", "tls_certificate", "keys_directory"}
HTTP_METHODS = {"get", "post", "put", "head", "request", "Session", "urlretrieve", "PoolManager"}
KERNELS = {"SYSTEM_LIMIT", "PORT_RANGE"}
"""What root owns, and node.json names; the rest of a node's directories is the runs' user's."""


def _nodes(path: Path) -> Iterator[ast.AST]:
    yield from ast.walk(ast.parse(path.read_text()))


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _mentions(node: ast.AST, names: set[str]) -> bool:
    return any(_last_name(one) in names for one in ast.walk(node))


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def paths_of_run_ids(source: Path) -> list[int]:
    """Return the lines where an id becomes a part of a path without `run_directory`."""
    lines = []
    for node in _nodes(source):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            parts = [node.right]
        elif isinstance(node, ast.Call) and _last_name(node.func) in ("joinpath", "Path"):
            parts = list(node.args)
        else:
            continue
        if any(_last_name(one).endswith("run_id") or _mentions_in_text(one) for one in parts):
            lines.append(parts[0].lineno)
    return lines


def _mentions_in_text(node: ast.AST) -> bool:
    return isinstance(node, ast.JoinedStr) and any(
        _last_name(one).endswith("run_id") for one in ast.walk(node)
    )


def root_file_calls(source: Path) -> list[str]:
    """Return what an agent's module does with files that may not be root's."""
    return [
        f"{source.name}:{node.lineno} {_last_name(node.func)}"
        for node in _nodes(source)
        if isinstance(node, ast.Call)
        and _last_name(node.func) in FILE_METHODS
        and "/proc/" not in ast.unparse(node.func)
        and not any(_last_name(one) == "devnull" for one in node.args)
        and not _mentions(
            node.func, CONFIGURATION | {"tarfile", "files", "path", "WANTS", *KERNELS}
        )
    ]


def named_places() -> Iterator[tuple[Path, str]]:
    """Yield each file of the table of boundaries, with the name in it that is given, or none."""
    page = (PROJECT / "docs" / "security.md").read_text()
    table = page.partition("## Boundaries")[2].partition("\n## ")[0]
    for row in re.findall(r"(?m)^\|.*\|$", table)[2:]:
        found = re.findall(r"`([^`]+)`", row.split(" | ")[-1])
        assert found, f"this row names no place in the code: {row}"
        for place in found:
            path, _, name = place.partition(":")
            yield PROJECT / path, name


def test_each_place_in_the_table_of_boundaries_is_there() -> None:
    places = list(named_places())
    assert len(places) > 20
    for path, name in places:
        assert path.exists(), path
        defined = {getattr(node, "name", "") for node in _nodes(path)} if name else {name}
        assert name in defined, f"{path} defines no {name}"


def test_a_run_id_becomes_a_path_in_one_place() -> None:
    ways = {
        str(path.relative_to(PROJECT)): lines
        for path in LOADGEN.rglob("*.py")
        if path != RUN_IDS and (lines := paths_of_run_ids(path))
    }

    assert ways == {}


def test_roots_agent_touches_the_runs_files_in_one_place() -> None:
    # What a node keeps of scenarios is root's own, and lies where nobody else can make names.
    apart = (AGENT_FILES, LOADGEN / "fleet" / "agent_scenarios.py")
    agents = [path for path in (LOADGEN / "fleet").glob("agent*.py") if path not in apart]

    assert [call for path in agents for call in root_file_calls(path)] == []


def test_nothing_unpacks_an_archive_by_itself() -> None:
    calls = [
        f"{path.name}:{node.lineno}"
        for path in [*LOADGEN.rglob("*.py"), *(PROJECT / "playbooks").rglob("*.py")]
        for node in _nodes(path)
        if isinstance(node, ast.Call) and _last_name(node.func) in ("extract", "extractall")
    ]

    assert calls == []


def test_roots_modules_name_files_by_open_directories() -> None:
    """A path in a directory of another user leads where that user wants."""
    by_path = [
        f"{name}.py:{node.lineno} {ast.unparse(node.func)}"
        for name in ("directory_files", "run_file")
        for node in _nodes(PROJECT / "playbooks" / "library" / f"{name}.py")
        if isinstance(node, ast.Call)
        and ast.unparse(node.func)
        in {f"os.{one}" for one in ("chown", "chmod", "remove", "makedirs", "replace")}
        | {f"shutil.{one}" for one in ("rmtree", "copy", "move", "chown")}
        | {"open"}
    ]

    assert by_path == []


def asks_by_itself(source: Path) -> list[int]:
    """Return the lines of requests that would ask a proxy of the environment."""
    modules = {"requests", "urllib3", "httpx"}
    return [
        node.lineno
        for node in _nodes(source)
        if (
            isinstance(node, ast.Call)
            and (
                _last_name(node.func) in ("urlopen", "build_opener")
                or (_last_name(node.func) in HTTP_METHODS and _names(node.func) & modules)
            )
        )
    ]


def test_a_request_of_the_kits_own_is_opened_in_one_place() -> None:
    """The proxy that an environment names can't reach this machine's loopback."""
    ways = {
        str(path.relative_to(PROJECT)): lines
        for top in (LOADGEN, PROJECT / "exporter")
        for path in top.rglob("*.py")
        if path != LOADGEN / "shared" / "loopback.py" and (lines := asks_by_itself(path))
    }

    assert ways == {}


def test_the_tests_see_a_way_round(tmp_path: Path) -> None:
    way = tmp_path / "way.py"
    way.write_text(
        "def f(results, node, report, state):\n"
        "    a = results / report.run_id\n"
        "    b = results.joinpath(run_id)\n"
        "    c = results / f'{run_id}.json'\n"
        "    (state / 'run.json').read_text()\n"
        "    node.state_directory.joinpath('x').unlink()\n"
        "    urllib.request.urlopen(url)\n"
        "    requests.Session().get(url)\n"
    )

    assert len(paths_of_run_ids(way)) == 3
    assert len(root_file_calls(way)) == 2
    assert set(asks_by_itself(way)) == {7, 8}
