"""A fleet is what Ansible's inventory says, and nothing else."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from loadgen.fleet import inventory
from loadgen.shared.errors import UsageError
from loadgen.specification import ports

PROJECT = Path(__file__).parents[3]


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
    assert fleet["fleet_web_port"] == ports.WEB_PORT
    assert fleet["fleet_channel_port"] == ports.MASTER_BIND_PORT
    assert fleet["fleet_exporter_port"] == ports.EXPORTER_PORT
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
    with pytest.raises(UsageError, match="names w9, but the inventory's hosts are w1, w2"):
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


GROUPS = "all: {children: {master: {hosts: {m: }}, workers: {hosts: {w: }}}, vars: {VARS}}"


def inventory_with(place: Path, variables: str) -> Path:
    path = place / "hosts.yml"
    path.write_text(GROUPS.replace("VARS", variables))
    return path


def encrypt_in_place(place: Path, text: str) -> str:
    """Return a value as `ansible-vault encrypt_string` writes it."""
    (place / "password").write_text("secretpass")
    program = str(Path(sys.executable).with_name("ansible-vault"))
    command = [program, "encrypt_string", "--vault-password-file", str(place / "password"), text]
    told = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return told.stdout


@pytest.fixture(scope="module")
def vaulted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("vaulted")
    inventory_with(place, "ansible_host: 127.0.0.1, ansible_port: 1")
    (place / "group_vars").mkdir()
    secret = encrypt_in_place(place, "s3cret")
    (place / "group_vars" / "all.yml").write_text(f"ansible_become_password: {secret}")
    return place / "hosts.yml"


def test_a_value_encrypted_in_place_is_decrypted(vaulted: Path) -> None:
    words = [f"--vault-password-file={vaulted.parent / 'password'}"]
    assert inventory.load_inventory(vaulted, words).master.become_password == "s3cret"
    words = [f"--vault-id=prod@{vaulted.parent / 'password'}"]
    assert inventory.load_inventory(vaulted, words).master.become_password == "s3cret"


def test_vault_without_a_password_says_how_to_give_one(vaulted: Path) -> None:
    with pytest.raises(UsageError, match="give --ask-vault-pass or --vault-password-file") as told:
        inventory.load_inventory(vaulted)
    assert len(str(told.value).splitlines()) == 1


def test_a_verb_asks_for_the_password_of_vault_once(vaulted: Path) -> None:
    # Nobody listens there: the verb gets as far as its connections.
    words = f"{sys.executable} -m loadgen status --ask-vault-pass --inventory {vaulted}"
    with subprocess.Popen(
        ["script", "-qec", words, "/dev/null"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        said = b""
        while b"Vault password:" not in said:
            said += (chunk := os.read(process.stdout.fileno(), 1000))
            assert chunk, said
        rest, _ = process.communicate(b"secretpass\n", timeout=60)
    assert b"Vault password:" not in rest
    assert b"connection refused" in rest
    assert process.returncode == 4


@pytest.mark.parametrize(
    "variables",
    [
        'ansible_host: "{{ nowhere }}"',
        'ansible_port: "{{ hostvars.nobody.port }}"',
        'ansible_host: "{{ 1 / 0 }}"',
        'ansible_host: "{% if %}"',
        "ansible_connection: docker",
        "ansible_become_method: magic",
    ],
)
def test_what_ansible_cannot_resolve_is_one_sentence(variables: str, tmp_path: Path) -> None:
    path = inventory_with(tmp_path, variables)
    with pytest.raises(UsageError, match="ansible_") as told:
        inventory.load_inventory(path)
    assert "Traceback" not in str(told.value)
    assert len(str(told.value).splitlines()) == 1


def test_group_vars_beside_the_playbooks_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "playbooks" / "group_vars").mkdir(parents=True)
    (tmp_path / "playbooks" / "group_vars" / "all.yml").write_text("fleet_web_port: 8443\n")
    monkeypatch.setattr(inventory, "KIT", tmp_path)
    monkeypatch.setenv("ANSIBLE_CONFIG", str(PROJECT / "ansible.cfg"))
    assert inventory.load_inventory(inventory_with(tmp_path, "")).web_port == 8443
