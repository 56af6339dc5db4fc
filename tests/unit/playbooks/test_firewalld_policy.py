"""The module that brings the policy into force, beside a firewalld that forgets as the real one."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.unit.playbooks.modules import COMMANDS, run_beside


def rule(source: str) -> str:
    return (
        f'rule priority="-2" family="ipv4" source address="{source}" '
        'port port="8089" protocol="tcp" accept'
    )


A, B = rule("10.0.0.1"), rule("10.0.0.2")


class Host:
    def __init__(self, state: Path) -> None:
        self.state = state
        self.file = state / "policies" / "loadgen.xml"
        self.file.parent.mkdir()

    def converge(self, *rules: str, state: str = "present") -> dict[str, Any]:
        if state == "present":
            self.file.write_text("\n".join(rules))
        return run_beside(
            "firewalld_policy",
            self.state,
            policy="loadgen",
            file=str(self.file),
            rules=list(rules),
            record=str(self.state / "records" / "firewalld.json"),
            state=state,
        )

    def call(self, *words: str) -> None:
        command = [str(COMMANDS / "firewall-cmd"), *words]
        subprocess.run(command, check=True, env={"FAKE_STATE": str(self.state)}, timeout=30)

    @property
    def now(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.state / "firewalld.json").read_text())
        return found


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_new_policy_comes_with_a_reload_and_changes_without_one(host: Host) -> None:
    assert host.converge(A).get("changed")
    assert not host.converge(A)["changed"]
    assert host.converge(B)["changed"]
    assert host.now["policies"] == {"loadgen": [B]}
    assert host.now["reloads"] == 1
    assert host.converge(state="absent")["changed"]
    assert host.now["policies"] == {}
    assert not host.file.exists()
    assert not host.converge(state="absent")["changed"]


def test_rules_of_the_site_that_are_in_force_but_not_saved_stay(host: Host) -> None:
    host.call("--add-port=12345/tcp")
    assert host.converge(A)["until_reload"] == ["public"]
    assert (host.now["ports"], host.now["rules"]) == (["12345/tcp"], [A])
    assert not host.converge(A)["changed"]
    assert host.converge(B)["changed"]
    assert host.now["rules"] == [B]
    assert host.converge(state="absent")["changed"]
    assert (host.now["ports"], host.now["rules"]) == (["12345/tcp"], [])


def test_what_the_site_has_closed_at_runtime_alone_stays_closed(host: Host) -> None:
    host.call("--permanent", "--add-port=12345/tcp")
    host.call("--reload")
    host.call("--remove-port=12345/tcp")
    assert host.converge(A)["until_reload"] == ["public"]
    host.converge(state="absent")
    assert (host.now["ports"], host.now["reloads"]) == ([], 1)


def test_what_the_site_has_saved_for_later_comes_no_sooner(host: Host) -> None:
    host.call("--permanent", "--add-port=12345/tcp")
    assert host.converge(A)["until_reload"] == ["public"]
    assert (host.now["ports"], host.now["reloads"]) == ([], 0)


def test_the_next_reload_of_the_site_brings_the_policy_itself(host: Host) -> None:
    host.call("--add-port=12345/tcp")
    host.converge(A)
    host.call("--reload")
    assert host.now["policies"] == {"loadgen": [A]}
    assert not host.converge(A)["changed"]


def test_unsaved_rules_stay_when_the_policy_goes(host: Host) -> None:
    host.converge(A)
    host.call("--add-port=12345/tcp")
    assert host.converge(state="absent")["changed"]
    assert host.now["ports"] == ["12345/tcp"]
    assert host.now["policies"] == {"loadgen": []}
    assert host.now["reloads"] == 1
