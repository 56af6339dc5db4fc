"""The module that starts units, beside a systemctl that answers as RHEL 8's does."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.playbooks.modules import run_beside


class Host:
    def __init__(self, state: Path) -> None:
        self.state = state
        for name in ("units", "wants"):
            (state / name).mkdir()
        self.memory = state / "systemctl.json"

    def write(self, *names: str) -> None:
        for name in names:
            (self.state / "units" / name).write_text("")

    def has_named(self, *names: str) -> None:
        """Another unit's Before= has named these before their files came."""
        self.memory.write_text(json.dumps({"stubs": names}))

    @property
    def log(self) -> list[str]:
        found: list[str] = json.loads(self.memory.read_text())["log"]
        return [line for line in found if not line.startswith("list-units")]

    def converge(self, **arguments: Any) -> dict[str, Any]:
        wants = str(self.state / "wants")
        return run_beside("units", self.state, wants=wants, **arguments)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_a_unit_that_was_named_before_its_file_came_is_found_after_a_reload(host: Host) -> None:
    host.has_named("loadgen-master.service")
    host.write("loadgen-master.service")
    answer = host.converge(names=["loadgen-master.service"])
    assert answer.get("changed"), answer
    assert host.log == [
        "daemon-reload",
        "daemon-reload",
        "enable loadgen-master.service",
        "start loadgen-master.service",
    ]


def test_instances_whose_links_are_there_are_enabled_whatever_their_template_is(host: Host) -> None:
    host.write("loadgen-worker@.service")
    given = {"template": "loadgen-worker@.service", "instances": 2}
    assert host.converge(**given)["enable"] == [
        "loadgen-worker@1.service",
        "loadgen-worker@2.service",
    ]
    assert not host.converge(**given)["changed"]


def test_fewer_instances_are_stopped_and_their_links_go(host: Host) -> None:
    host.write("loadgen-worker@.service")
    host.converge(template="loadgen-worker@.service", instances=2)
    answer = host.converge(template="loadgen-worker@.service", instances=1)
    assert answer["stop"] == ["loadgen-worker@2.service"]
    assert [path.name for path in (host.state / "wants").iterdir()] == ["loadgen-worker@1.service"]


def test_a_drained_host_rests_until_the_run_is_over(host: Host) -> None:
    host.write("loadgen-worker@.service")
    given = {"template": "loadgen-worker@.service", "instances": 1}
    assert host.converge(**given, rest=True)["start"] == []
    assert host.converge(**given)["start"] == ["loadgen-worker@1.service"]


def test_a_unit_without_a_file_is_named(host: Host) -> None:
    answer = host.converge(names=["loadgen-master.service"])
    assert answer["failed"]
    assert answer["msg"] == "no such unit: loadgen-master.service"
