"""A message names the form that was typed: loadgen's options, or make's variables."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadgen.cli.main import GROUPS
from loadgen.shared.command import RENAMED, WITHOUT_TARGET, as_typed
from loadgen.shared.project import PROJECT
from tests.unit.test_documentation import targets

MAKE = {
    "LOADGEN_MAKE_TARGETS": "run-distributed deploy stop results monitoring lab",
    "LOADGEN_MAKE_VARIABLES": "INVENTORY USERS WEB_PORT RESULTS ASK_VAULT_PASS=1 ENV_FILE"
    " MONITORING_OPTIONS",
}


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (
            "loadgen stop --inventory inventory/mine ends and collects it",
            "make stop INVENTORY=inventory/mine ends and collects it",
        ),
        ("renew it with loadgen deploy, or yourself", "renew it with make deploy, or yourself"),
        ("end it with loadgen stop", "end it with make stop"),
        ("--web-port 8089 is in use; give another", "WEB_PORT 8089 is in use; give another"),
        ("give --ask-vault-pass or ask", "give ASK_VAULT_PASS=1 or ask"),
        (
            "repeat it: loadgen run --inventory 'my inventory' --users 5; nothing was started",
            "repeat it: make run-distributed INVENTORY='my inventory' USERS=5; nothing was started",
        ),
        ("--env-file no.env, line 3: a rule", "ENV_FILE no.env, line 3: a rule"),
        ("give --arrival-rate, or leave it out", "give --arrival-rate, or leave it out"),
        ("loadgen starts master and workers itself", "loadgen starts master and workers itself"),
        ("loadgen: something is wrong", "loadgen: something is wrong"),
        (
            "as in loadgen monitoring --prometheus-port 9099.",
            "as in make monitoring MONITORING_OPTIONS='--prometheus-port 9099'.",
        ),
    ],
)
def test_who_typed_make_reads_variables(said: str, read: str) -> None:
    assert as_typed(said, MAKE) == read
    assert as_typed(said, {}) == said


@pytest.mark.parametrize(
    "command", ["resume results/a-b", "results --baseline RUN", "run --help", "compare --results x"]
)
def test_what_make_has_no_target_for_is_this_environments_loadgen(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", [str(PROJECT / ".venv" / "bin" / "loadgen")])
    monkeypatch.chdir(PROJECT)
    assert as_typed(f"go on with: loadgen {command}", MAKE) == (
        f"go on with: .venv/bin/loadgen {command}"
    )


def test_every_verb_is_known() -> None:
    verbs = {RENAMED.get(verb, verb) for group in GROUPS.values() for verb in group}
    assert verbs - targets().keys() == WITHOUT_TARGET


def messages(path: Path) -> Iterator[str]:
    """Yield a module's texts without its docstrings."""
    tree = ast.parse(path.read_text())
    bare = {id(one.value) for one in ast.walk(tree) if isinstance(one, ast.Expr)}
    for one in ast.walk(tree):
        if isinstance(one, ast.Constant) and isinstance(one.value, str) and id(one) not in bare:
            yield one.value


def test_no_message_names_make_or_its_variables() -> None:
    """`as_typed` does that."""
    variables = {name for names in targets().values() for name in names} - {"NAME", "ENV"}
    made = re.compile(rf"\bmake ({'|'.join(targets())})\b|\b({'|'.join(variables)})=")
    odd = [
        f"{path.relative_to(PROJECT)}: {said}"
        for path in sorted(PROJECT.glob("loadgen/**/*.py"))
        for said in messages(path)
        if made.search(said)
    ]
    assert odd == []
