"""The `loadgen` command: each verb has its help, its own options, and starts quickly."""

import argparse
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from loadgen.cli import main
from loadgen.cli.deploy import vault_identity
from loadgen.cli.main import GROUPS, find, make_parser, parse
from loadgen.deploy.inventory_lock import hold
from loadgen.runs.waiting import waiting_for
from loadgen.shared.errors import BusyError, UsageError

VERBS = [(module, name) for module, verbs in GROUPS.items() for name in verbs]
HEAVY = (
    *("fabric", "paramiko", "locust", "ansible", "gevent", "matplotlib", "polars", "numpy"),
    *("pydantic", "jinja2", "yaml", "rich", "zmq", "uvicorn", "asyncio", "http.client", "ssl"),
)


@pytest.mark.parametrize(("module", "name"), VERBS)
def test_every_verb_explains_itself_by_examples_that_it_accepts(
    module: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([name, "--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert told.startswith(f"usage: loadgen {name} ")
    for example in find(module, name).examples:
        assert example in told
        words = example.partition("#")[0].partition("|")[0].split()
        if words[0] == "loadgen" and "--help" not in words:
            assert parse(words[1:]).carry_out


@pytest.mark.parametrize("words", [["simulator", "dspace"], ["study", "alarm"]])
def test_a_name_within_a_verb_has_its_own_help(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse([*words, "--help"])
    assert f"loadgen {' '.join(words)} " in capsys.readouterr().out


def test_groups_name_each_verb_of_their_modules() -> None:
    _, verbs = make_parser()
    assert list(verbs) == [name for _, name in VERBS]
    for module, texts in GROUPS.items():
        found = __import__(f"loadgen.cli.options.{module}", fromlist=["VERBS"]).VERBS
        assert set(found) == set(texts)


@pytest.mark.parametrize("word", ["--help", "--nonsense"])
def test_no_verb_imports_a_heavy_package_to_say_what_can_be_typed(word: str) -> None:
    program = f"""
import sys
from loadgen.cli.main import main
for words in [[], *[[name] for name in {[name for _, name in VERBS]}]]:
    try:
        main([*words, "{word}"])
    except SystemExit:
        print("heavy:", words, [name for name in {HEAVY} if name in sys.modules])
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    said = [line for line in ended.stdout.splitlines() if line.startswith("heavy:")]
    assert said == [f"heavy: {words} []" for words in [[], *[[name] for _, name in VERBS]]]


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "stop --inventory i --host-limit worker1",
            "loadgen stop has no option --host-limit; loadgen logs and loadgen drain have it.",
        ),
        ("status --inventory i --lines=5", "loadgen logs has it. Nothing was started"),
        ("run --usres 5", "loadgen run has no option --usres: is --users meant?"),
        ("run --user 5", "loadgen run has no option --user: is --users meant?"),
        ("run --bogus", "loadgen run has no option --bogus"),
        ("run locustfile.py", "loadgen run can't use 'locustfile.py'"),
        ("simulator hello --faults", "loadgen simulator hello has no option --faults"),
        ("rnu", "there is no command 'rnu': is run meant? Choose from init, doctor"),
        ("evaluate latest --interval -1", "--interval '-1' can't be used; give a number above 0"),
        ("evaluate latest --speed inf", "--speed 'inf' can't be used; give a number above 0"),
        ("evaluate latest --limits nan", "--limits 'nan' can't be used; give numbers separated"),
        ("evaluate latest --limits fast", "--limits 'fast' can't be used; give numbers separated"),
        ("study alarm --speed fast", "--speed 'fast' can't be used; give a number above 0"),
        ("study alarm --speed nan", "--speed 'nan' can't be used; give a number above 0"),
        ("mix access.log --factor inf", "--factor 'inf' can't be used; give a number above 0"),
        ("watch --svg x.svg --seconds -1", "--seconds '-1' can't be used; give a number above 0"),
        (
            "logs --inventory i --lines many",
            "--lines 'many' can't be used; give a whole number of at",
        ),
        (
            "monitoring --prometheus-port 70000",
            "'70000' can't be used; give a whole number from 1 to",
        ),
        ("monitoring --archive-port 0", "'0' can't be used; give a whole number from 1 to 65535"),
        ("monitoring --node-port -1", "--node-port '-1' can't be used; give a whole number from"),
        (
            "study alarm --checklist-position 0",
            "'0' can't be used; give a whole number of at least 1",
        ),
        ("run --users", "--users/-u needs a value"),
        ("lab --workers 9", "--workers 9 can't be used; choose from 1, 2, 3, 4, 5, 6;"),
        ("evaluate --formats gif", "'gif' can't be used; give one or more of svg, png and pdf"),
        ("compare a b --tolerance 7", "'7' can't be used; give a number from 0 to below 1"),
        ("rerun a --tolerance x", "'x' can't be used; give a number from 0 to below 1"),
        ("simulator capacity --law x", "'x' can't be used; choose from lock, pool, crowd"),
        (
            "deploy",
            "deploy needs --inventory, as in: loadgen deploy --inventory inventory/mine; see",
        ),
        ("compare latest", "loadgen compare needs B, as in: loadgen compare baseline latest; see"),
    ],
)
def test_what_a_verb_does_not_have_is_refused_by_name(line: str, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse(line.split())
    assert sentence in str(refused.value)


def test_the_command_alone_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main([])
    assert ended.value.code == 2
    assert "run a load test and judge it" in capsys.readouterr().out


def test_a_mistake_is_one_sentence_and_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(["stop", "--inventory", "i", "--host-limit", "worker1"])
    assert ended.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_what_follows_the_dashes_is_for_the_other_program() -> None:
    assert parse(["run", "--users", "3", "--", "--tags", "a"]).passed_on == ["--tags", "a"]
    assert parse(["run"]).passed_on == []
    assert parse(["teardown", "--inventory", "i", "--", "-v"]).passed_on == ["-v"]


@pytest.mark.parametrize("word", ["--quiet", "--insecure-target", "--request-log=0.1"])
def test_an_option_of_loadgens_own_is_refused_among_locusts(word: str) -> None:
    options = parse(["run", "--", word])
    with pytest.raises(UsageError, match=r"give it before --"):
        options.carry_out(options)


@pytest.mark.parametrize("verb", ["deploy", "verify", "rotate", "teardown", "teardown-workers"])
def test_a_fleet_verb_names_the_inventories_that_there_are(verb: str) -> None:
    options = parse([verb, "--inventory", "inventory/typo"])
    with pytest.raises(UsageError, match=r"typo does not exist, and nothing was changed\."):
        options.carry_out(options)


def test_two_changes_of_a_fleet_at_once_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loadgen.cli.deploy.require_fleet", lambda _: None)
    hold(tmp_path)
    options = parse(["teardown", "--inventory", str(tmp_path)])
    with pytest.raises(BusyError, match="is being changed by process"):
        options.carry_out(options)


@pytest.mark.parametrize(
    ("word", "identity"),
    [
        ("--vault-password-file=vault.txt", "default@{here}/vault.txt"),
        ("--vault-id=dev@keys/dev", "dev@{here}/keys/dev"),
        ("--vault-id=keys/dev", "default@{here}/keys/dev"),
        ("--vault-id=dev@prompt", ""),
        ("--vault-id=prompt", ""),
    ],
)
def test_what_a_playbook_calls_here_finds_vaults_passwords_too(word: str, identity: str) -> None:
    assert vault_identity(word) == identity.replace("{here}", str(Path.cwd()))


def test_a_verb_whose_packages_lack_says_what_installs_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = parse(["status", "--inventory", "i"])
    monkeypatch.delitem(sys.modules, "loadgen.cli.fleet", raising=False)
    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(UsageError, match="the package pydantic is not installed in this"):
        options.carry_out(options)


def test_a_changed_experiment_of_a_series_is_one_sentence(tmp_path: Path) -> None:
    for content in (b'{"users": ', b'{"users": "many"}', b"\xff\xfe", b'{"nonsense": 1}', b"[]"):
        (tmp_path / "experiment.json").write_bytes(content)
        options = parse(["resume", str(tmp_path)])
        with pytest.raises(UsageError, match=r"experiment\.json can't be read as the experiment"):
            options.carry_out(options)


def test_a_file_in_place_of_the_results_directory_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "runs").touch()
    with pytest.raises(SystemExit) as ended:
        main.main(["results", "--results", str(tmp_path / "runs")])
    assert ended.value.code == 2
    assert "runs is a file: give the directory of the runs" in capsys.readouterr().err


@pytest.mark.parametrize(
    "verb",
    [
        "status",
        "stop",
        "logs",
        "drain",
        "results",
        "compare",
        "evaluate",
        "export",
        "import",
        "mix",
        "scaffold",
    ],
)
def test_a_silent_verb_says_what_it_waits_for(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (module,) = (module for module, words in GROUPS.items() if verb in words)
    said = threading.Event()

    def say(sentence: str) -> None:
        print(sentence)
        said.set()

    options = argparse.Namespace(
        waits_for=find(module, verb).waits_for, carry_out=lambda _: int(not said.wait(20))
    )
    monkeypatch.setattr(main, "parse", lambda _: options)
    monkeypatch.setattr(main, "waiting_for", lambda what, _: waiting_for(what, say, 0))
    with pytest.raises(SystemExit) as ended:
        main.main([verb])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("Waiting for the ")
