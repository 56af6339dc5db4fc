"""The ways across the trust boundaries (docs/security.md) are few, and nothing goes round them."""

import ast
import re
import shutil
from collections.abc import Iterator
from pathlib import Path, PurePath

from loadgen.shared.project import PROJECT

LOADGEN = PROJECT / "loadgen"
RUN_IDS = LOADGEN / "shared" / "run_ids.py"
AGENT_FILES = LOADGEN / "fleet" / "agent_files.py"
PURE = set(dir(PurePath)) | {"which", "get_terminal_size", "disk_usage"}
OF_OS = {
    "open", "remove", "unlink", "rename", "replace", "renames", "mkdir", "makedirs", "rmdir",
    "removedirs", "link", "symlink", "readlink", "chmod", "chown", "lchown", "truncate", "utime",
    "stat", "lstat", "scandir", "listdir", "walk", "fwalk", "mkfifo", "mknod", "access", "chroot",
    "chdir", "isfile", "isdir", "getsize", "iglob", "fopen",
}  # fmt: skip
FILE_WAYS = ({name for name in dir(Path) if name[0] != "_"} | set(shutil.__all__) | OF_OS) - PURE
"""Whatever reads, makes or changes a file, by any of Python's libraries."""
FILE_MODULES = {"os", "os.path", "shutil", "io", "glob", "posix"}
OWN_PLACES = {
    ("agent.py", "collect"), ("agent.py", "main"), ("agent.py", "forget"),
    ("agent_checks.py", "_is_ours"), ("agent_checks.py", "capacity_faults"),
    ("agent_report.py", "report"), ("agent_report.py", "_certificate"),
    ("agent_units.py", "enabled_names"), ("agent_units.py", "still_there"),
}  # fmt: skip
"""Where root's agent looks at what is root's, the kernel's or its own: release, units, streams."""
BY_DIRECTORIES = ("directory_files", "run_file")
OPENERS = ("open_directory", "read")
"""What opens a directory step by step, and run.json without following it."""
HTTP_METHODS = {"get", "post", "put", "head", "request", "Session", "urlretrieve", "PoolManager"}


def _nodes(path: Path) -> Iterator[ast.AST]:
    yield from ast.walk(ast.parse(path.read_text()))


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _inside(tree: ast.AST, function: str = "") -> Iterator[tuple[ast.AST, str]]:
    """Yield each node with the name of the function that it is in."""
    for node in ast.iter_child_nodes(tree):
        here = node.name if isinstance(node, ast.FunctionDef) else function
        yield node, here
        yield from _inside(node, here)


def _names(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def paths_of_run_ids(source: Path) -> list[int]:
    """Return the lines where an id becomes a part of a path without `run_directory`."""
    lines = []
    for node in _nodes(source):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            parts: list[ast.expr] = [node.right]
        elif isinstance(node, ast.Call) and _makes_a_path(node.func):
            parts = [*node.args, *(keyword.value for keyword in node.keywords)]
        elif isinstance(node, ast.JoinedStr) and _has_a_slash(node):
            parts = [node]
        else:
            continue
        if any(_is_an_id(one) for part in parts for one in ast.walk(part)):
            lines.append(node.lineno)
    return lines


def _makes_a_path(function: ast.expr) -> bool:
    makers = {"joinpath", "Path", "PurePath", "PosixPath", "with_name", "with_stem", "open"}
    return _last_name(function) in makers or ast.unparse(function).endswith("path.join")


def _has_a_slash(text: ast.JoinedStr) -> bool:
    return any(isinstance(one, ast.Constant) and "/" in str(one.value) for one in text.values)


def _is_an_id(node: ast.AST) -> bool:
    return _last_name(node).endswith("run_id") and _last_name(node) != "make_run_id"


def root_file_calls(source: Path) -> list[str]:
    """Return how an agent's module comes to files that may not be root's."""
    found = []
    for node, function in _inside(ast.parse(source.read_text())):
        named = _last_name(node)
        if isinstance(node, ast.Call) and _last_name(node.func) in ("getattr", "methodcaller"):
            named = next((str(one.value) for one in node.args if isinstance(one, ast.Constant)), "")
        if isinstance(node, ast.Attribute | ast.Call) or named == "open":
            is_way = named in FILE_WAYS and (source.name, function) not in OWN_PLACES
        else:
            is_way = isinstance(node, ast.ImportFrom) and node.module in FILE_MODULES
        if is_way:
            found.append(f"{source.name}:{getattr(node, 'lineno', 0)} {ast.unparse(node)}")
    return found


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
        f"{path.name}: {ast.unparse(node)}"
        for path in [*LOADGEN.rglob("*.py"), *(PROJECT / "playbooks").rglob("*.py")]
        for node in _nodes(path)
        if _last_name(node) in ("extract", "extractall", "unpack_archive")
    ]

    assert calls == []


def by_path(source: Path) -> list[str]:
    """Return what a module of root's does with paths, and not with names in open directories."""
    found = []
    for node, function in _inside(ast.parse(source.read_text())):
        if isinstance(node, ast.Call):
            words = {str(keyword.arg) for keyword in node.keywords}
            named = any(word.endswith("dir_fd") for word in words) or function in OPENERS
            is_way = _last_name(node.func) in OF_OS | {"Path"} and not named
            if is_way and ast.unparse(node.func) != "os.listdir":
                found.append(f"{source.name}:{node.lineno} {ast.unparse(node.func)}")
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = {one.name for one in node.names} | {getattr(node, "module", None)}
            if modules & {"shutil", "pathlib", "io", "glob", "tempfile"}:
                found.append(f"{source.name}:{node.lineno} {ast.unparse(node)}")
    return found


def test_roots_modules_name_files_by_open_directories() -> None:
    """A path in a directory of another user leads where that user wants."""
    modules = [PROJECT / "playbooks" / "library" / f"{name}.py" for name in BY_DIRECTORIES]

    assert [way for module in modules for way in by_path(module)] == []


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


COUNTED = ("read_document", "require_few_values")
OWN_DOCUMENTS = {
    "agent.py:_answered", "agent.py:write_tar", "inventory.py:_list", "journal.py:_read",
}  # fmt: skip
"""The controller's requests, Ansible's answer, and lines of a document that was counted."""


def uncounted(source: Path) -> list[str]:
    """Return where a module reads JSON whose values nobody has counted."""
    return [
        f"{source.name}:{function} {ast.unparse(node)}"
        for node, function in _inside(ast.parse(source.read_text()))
        if isinstance(node, ast.Call)
        and _last_name(node.func) in ("loads", "load", "model_validate_json", "validate_json")
        and not ast.unparse(node.func).startswith("bench.")
        and not any(_last_name(one) in COUNTED for part in node.args for one in ast.walk(part))
    ]


def test_what_a_run_or_a_host_holds_is_counted_before_it_is_read() -> None:
    """A few megabytes of empty lists take gigabytes once they are read."""
    packages = [LOADGEN / name for name in ("results", "runs", "fleet", "cli", "watch", "studies")]
    modules = [path for package in packages for path in package.rglob("*.py")]
    modules.append(PROJECT / "exporter" / "archive.py")

    assert {way.partition(" ")[0] for path in modules for way in uncounted(path)} == OWN_DOCUMENTS


WAYS_OF_IDS = (
    "results / report.run_id",
    "results / str(run_id)",
    "results / run_id[:60]",
    "results / (run_id + '.json')",
    "results / f'{run_id}.json'",
    "results.joinpath(run_id)",
    "results.with_name(run_id)",
    "os.path.join(results, run_id)",
    "path.join(results, summary.run_id)",
    "open(f'results/{run_id}')",
    "Path(report.run_id)",
    "Path(*['results', run_id])",
)
WAYS_TO_FILES = (
    "(state / 'run.json').read_text()",
    "node.state_directory.joinpath('x').unlink()",
    "path.read_bytes()",
    "files.write_text('')",
    "open(path)",
    "io.open(path)",
    "os.open(path, 0)",
    "os.remove(path)",
    "os.scandir(path)",
    "o.lchown(path, 0, 0)",
    "shutil.rmtree(path)",
    "shutil.copytree(path, there)",
    "tarfile.open(path)",
    "from os import unlink as gone",
    "from shutil import move",
    "reading = path.read_text",
    "getattr(path, 'read_text')()",
    "list(map(Path.unlink, paths))",
)

WAYS_BY_PATH = (
    "open(path)",
    "os.unlink(path)",
    "os.open(path, os.O_RDONLY | os.O_NOFOLLOW)",
    "os.rename(path, there)",
    "os.chown(path, 0, 0, follow_symlinks=False)",
    "Path(path)",
    "import shutil as s",
    "from tempfile import mkstemp",
)


def test_the_tests_see_a_way_round(tmp_path: Path) -> None:
    way = tmp_path / "way.py"
    for line in WAYS_OF_IDS:
        way.write_text(f"{line}\n")
        assert paths_of_run_ids(way), line
    for line in WAYS_TO_FILES:
        way.write_text(f"def report():\n    {line}\n")
        assert root_file_calls(way), line
    for line in WAYS_BY_PATH:
        way.write_text(f"def write():\n    {line}\n")
        assert by_path(way), line
    way.write_text("urllib.request.urlopen(url)\nrequests.Session().get(url)\n")
    assert set(asks_by_itself(way)) == {1, 2}
