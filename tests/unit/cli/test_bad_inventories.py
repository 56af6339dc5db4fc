"""An inventory that is none is one sentence of ours, exit 2, and Ansible isn't started."""

from pathlib import Path

import pytest

from loadgen.cli import deploy, main
from loadgen.fleet import inventory

VERBS = ("deploy", "verify", "rotate", "teardown", "teardown-workers", "status", "stop", "logs")
SAMPLES = [("m", "10.0.0.1"), ("w", "worker1.example.com")]
BAD = {
    "empty": ({}, "the directory inventory has no inventory file in it, such as hosts.yml"),
    "broken": (
        {"hosts.yml": "all:\n  hosts: {a: {b: [}\n"},
        "inventory/hosts.yml is not valid YAML, line 2: did not find expected node content",
    ),
    "prose": (
        {"hosts": "[master]\ndear diary\n"},
        "inventory/hosts is not an inventory, line 2: Expected key=value host variable assignment",
    ),
    "bytes": ({"hosts": "\x00\x01\x02'[\x07"}, "inventory/hosts is not an inventory"),
}


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        main.main(words)
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (2, "")
    assert said.err.count("\n") == 1
    return said.err


@pytest.fixture(autouse=True)
def _no_ansible(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def become(command: list[str], **_: str) -> int:
        pytest.fail(f"this became {command}")

    monkeypatch.setattr(deploy, "become", become)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("kind", BAD)
def test_an_inventory_that_is_none_is_told_with_its_place(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, sentence = BAD[kind]
    (tmp_path / "inventory").mkdir()
    for name, text in files.items():
        (tmp_path / "inventory" / name).write_text(text)
    assert sentence in refused(["teardown", "--inventory", "inventory"], capsys)


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_refuses_an_inventory_without_the_groups(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("hosts.yml").touch()
    monkeypatch.setattr(inventory, "_list", lambda *_: {"groups": {}, "hosts": {}})
    assert "0 hosts in group master" in refused([verb, "--inventory", "hosts.yml"], capsys)


@pytest.mark.parametrize("verb", ["deploy", "verify", "rotate", "teardown", "teardown-workers"])
def test_the_samples_hosts_are_nobodys(
    verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts = {name: inventory.Node(name, address, address) for name, address in SAMPLES}
    fleet = inventory.Inventory(Path("mine"), hosts["m"], (hosts["w"],), ())
    Path("mine").mkdir()
    monkeypatch.setattr(inventory, "load_inventory", lambda *_: fleet)
    said = refused([verb, "--inventory", "mine"], capsys)
    assert "mine still has the host w (worker1.example.com) of the sample inventory" in said
