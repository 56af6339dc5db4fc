"""What the verbs of a fleet's desired state hand over to Ansible."""

import os
from pathlib import Path

import pytest

from loadgen.cli import deploy, main
from loadgen.shared.files import lock

VERBS = ("deploy", "verify", "rotate", "teardown", "teardown-workers")
CHANGES = tuple(verb for verb in VERBS if verb != "verify")


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """The commands that this process would have become."""
    became: list[list[str]] = []

    def become(command: list[str], **_: str) -> int:
        became.append(command)
        return 0

    monkeypatch.setattr(deploy, "become", become)
    monkeypatch.setattr(deploy, "require_fleet", lambda _: None)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("ANSIBLE_VAULT_IDENTITY_LIST", "")
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    return became


def _end(*words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main.main(list(words))
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_becomes_its_playbook_with_the_users_own_words(
    verb: str, commands: list[list[str]]
) -> None:
    assert _end(verb, "--inventory", "mine", "--", "--limit", "worker1") == 0
    (command,) = commands
    assert Path(command[0]).name == "ansible-playbook"
    assert command[1:-1] == ["--inventory", "mine", "--limit", "worker1"]
    assert Path(command[-1]).name == f"{verb}.yml"
    assert Path(command[-1]).is_file()


@pytest.mark.parametrize("verb", VERBS)
def test_an_inventory_that_is_not_there_is_named_and_nothing_is_touched(
    verb: str, commands: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _end(verb, "--inventory", "nowhere") == 2
    assert "--inventory nowhere does not exist, and nothing was changed" in capsys.readouterr().err
    assert commands == []


def test_one_change_at_a_time_and_a_look_beside_it(
    commands: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    descriptor = os.open("mine", os.O_RDONLY)
    try:
        lock(descriptor)
        for verb in CHANGES:
            assert _end(verb, "--inventory", "mine") == 2
            assert "mine is being changed by process" in capsys.readouterr().err
        assert commands == []
        assert _end("verify", "--inventory", "mine") == 0
    finally:
        os.close(descriptor)


def test_a_vaults_password_file_reaches_what_the_playbook_calls(
    commands: list[list[str]], tmp_path: Path
) -> None:
    assert _end("verify", "--inventory", "mine", "--vault-password-file", "secret") == 0
    assert "--vault-password-file=secret" in commands[0]
    assert os.environ["ANSIBLE_VAULT_IDENTITY_LIST"] == f"default@{tmp_path / 'secret'}"


def test_deploy_takes_no_locustfile(
    commands: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert _end("deploy", "--inventory", "mine", "--locustfile", "shop.py") == 2
    assert "--locustfile shop.py; nothing was changed" in capsys.readouterr().err
    assert commands == []
