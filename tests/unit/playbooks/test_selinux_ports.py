"""The module that labels ports, beside a semanage that refuses what the real one refuses."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.unit.playbooks.modules import run_beside, run_module


class Host:
    def __init__(self, state: Path) -> None:
        self.state = state
        self.record = state / "records" / "selinux.json"

    def converge(self, ports: dict[str, str], state: str = "present") -> dict[str, Any]:
        return run_beside(
            "selinux_ports",
            self.state,
            ports=ports,
            record=str(self.record),
            state=state,
        )

    @property
    def labels(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.state / "semanage.json").read_text())
        return found

    def site_labels(self, labels: dict[str, str]) -> None:
        (self.state / "semanage.json").write_text(json.dumps(labels))


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


OURS = {"8089": "http_port_t", "9646": "http_port_t"}


def test_ports_are_labelled_once_and_given_back(host: Host) -> None:
    assert host.converge(OURS).get("changed")
    assert host.labels == OURS
    assert not host.converge(OURS)["changed"]
    assert host.converge(OURS, "absent")["ports"] == ["8089", "9646"]
    assert host.labels == {}
    assert not host.converge(OURS, "absent")["changed"]


def test_a_port_that_policy_labels_is_left_to_it(host: Host) -> None:
    ports = {"8443": "http_port_t"}
    assert not host.converge(ports)["changed"]
    assert not host.converge(ports, "absent")["changed"]


def test_a_port_to_which_policy_gives_another_type_gets_that_back(host: Host) -> None:
    ports = {"9090": "http_port_t"}
    host.converge(ports)
    assert host.labels == ports
    host.converge(ports, "absent")
    assert host.labels == {}


def test_the_sites_own_labels_stay(host: Host) -> None:
    own = {"8089": "http_port_t", "9646": "site_port_t"}
    host.site_labels(own)
    assert host.converge(OURS)["left_alone"] == ["9646"]
    host.converge(OURS, "absent")
    assert host.labels == own


@pytest.mark.parametrize(("kind", "left"), [("http_port_t", []), ("site_port_t", ["8089"])])
def test_a_range_of_the_sites_own_counts_for_each_of_its_ports(
    host: Host, kind: str, left: list[str]
) -> None:
    own = {"8080-8090": kind}
    host.site_labels(own)
    answer = host.converge({"8089": "http_port_t"})
    assert (answer["changed"], answer["left_alone"]) == (False, left)
    host.converge({"8089": "http_port_t"}, "absent")
    assert host.labels == own


def test_the_policys_files_are_written_for_everybody_to_read(host: Host) -> None:
    before = os.umask(0o077)
    try:
        host.converge(OURS)
    finally:
        os.umask(before)
    assert (host.state / "semanage.json").stat().st_mode & 0o044 == 0o044


def test_a_label_that_the_site_has_changed_since_stays(host: Host) -> None:
    host.converge(OURS)
    host.site_labels({"8089": "site_port_t"})
    host.converge(OURS, "absent")
    assert host.labels == {"8089": "site_port_t"}


def test_taking_away_needs_no_semanage_where_nothing_was_labelled(tmp_path: Path) -> None:
    """A worker has no label of ours, and a minimal RHEL no semanage."""
    record = str(tmp_path / "none.json")
    answer = run_module("selinux_ports", record=record, state="absent")
    assert answer == {**answer, "changed": False}
