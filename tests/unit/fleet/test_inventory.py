"""A fleet is what Ansible's inventory says, and nothing else."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from loadgen.fleet import inventory
from loadgen.shared.errors import UsageError


def host(address: str, **variables: object) -> dict[str, Any]:
    """What Ansible says of one host."""
    way = {"ssh": ["ssh", "-o", "Port=2222"], "sshpass": [], "start": "sudo", "started": "go"}
    return {"address": address, "prompt": "", "variables": variables, **way}


LISTED: dict[str, Any] = {
    "groups": {"master": ["m1"], "workers": ["w1", "w2"], "targets": ["w2"]},
    "hosts": {
        "m1": {**host("192.0.2.10", fleet_web_port=8443), "become_password": "open sesame"},
        "w1": host("192.0.2.21", fleet_address="10.0.0.21"),
        "w2": host("w2"),
    },
}


def test_a_fleet_is_what_ansible_says_and_keeps_the_password_out_of_sight() -> None:
    fleet = inventory.parse_inventory(Path("/srv/fleet/hosts.yml"), LISTED)
    assert fleet.master.become_password == "open sesame"
    assert "open sesame" not in repr(fleet)
    assert fleet.web_port == 8443
    first, second = fleet.workers
    assert (first.address, first.fleet_address) == ("192.0.2.21", "10.0.0.21")
    assert (second.address, second.fleet_address) == ("w2", "w2")
    assert [node.name for node in fleet.nodes] == ["m1", "w1", "w2"]
    assert fleet.target == "http://w2:8000"


def test_exporter_and_grafana_are_where_the_inventory_puts_them() -> None:
    fleet = inventory.parse_inventory(Path("hosts.yml"), LISTED)
    assert fleet.exporter_url == "https://192.0.2.10:9646/metrics"
    assert fleet.grafana is None
    listed = {
        "groups": {**LISTED["groups"], "monitoring": ["mon"]},
        "hosts": {
            **LISTED["hosts"],
            "mon": host("2001:db8::1", grafana_source="package", grafana_port=3001),
        },
    }
    found = inventory.parse_inventory(Path("hosts.yml"), listed)
    assert found.grafana == "https://[2001:db8::1]:3001"


def test_ports_that_an_inventory_leaves_out_are_the_roles_own() -> None:
    roles = Path(__file__).parents[3] / "playbooks/roles"
    fleet = yaml.safe_load((roles / "fleet/defaults/main.yml").read_text())
    grafana = yaml.safe_load((roles / "grafana/defaults/main.yml").read_text())
    assert fleet["fleet_web_port"] == inventory.WEB_PORT
    assert fleet["fleet_exporter_port"] == inventory.EXPORTER_PORT
    assert fleet["fleet_target_port"] == inventory.TARGET_PORT
    assert grafana["grafana_port"] == inventory.GRAFANA_PORT


@pytest.mark.parametrize("group", ["master", "workers"])
def test_an_empty_group_is_named(group: str) -> None:
    changed = {**LISTED, "groups": {**LISTED["groups"], group: []}}
    with pytest.raises(UsageError, match=f"0 hosts in group {group}|0 in group {group}"):
        inventory.parse_inventory(Path("hosts.yml"), changed)


def test_limit_names_the_host_that_is_not_there() -> None:
    fleet = inventory.parse_inventory(Path("hosts.yml"), LISTED)
    assert [node.name for node in inventory.limit(fleet.workers, "w2, w1")] == ["w2", "w1"]
    with pytest.raises(UsageError, match="names w9, which is not among w1, w2"):
        inventory.limit(fleet.workers, "w1,w9")


def test_load_inventory_reads_what_ansible_reads(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.yml"
    hosts.write_text(
        "all: {children: {master: {hosts: {m: {ansible_host: 192.0.2.1}}}, "
        "workers: {hosts: {w: }}}}"
    )
    assert inventory.load_inventory(hosts).master.address == "192.0.2.1"
    hosts.write_text("all: [")
    with pytest.raises(UsageError, match="can't be read"):
        inventory.load_inventory(hosts)
    with pytest.raises(UsageError, match="does not exist"):
        inventory.load_inventory(tmp_path / "absent")
