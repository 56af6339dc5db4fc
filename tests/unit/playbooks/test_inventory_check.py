"""The inventory check says the same of an inventory in each form that Ansible reads."""

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.unit.playbooks.read_inventories import PASSWORD

PROJECT = Path(__file__).parents[3]
NETWORKS = '["192.0.2.0/24"]'
HOSTS = """
[master]
m1 ansible_host=192.0.2.1
[workers]
w1 ansible_host=192.0.2.2 {host}
[all:vars]
fleet_operator_networks={networks}
{all}
"""
PROGRAM = """#!{python}
import json
print(json.dumps({content}))
"""


def ini(every: str = "", host: str = "") -> str:
    return HOSTS.format(networks=NETWORKS, all=every, host=host)


def yaml(every: str = "", host: str = "") -> str:
    return f"""all:
  vars:
    fleet_operator_networks: {NETWORKS}
    {every}
  children:
    master: {{hosts: {{m1: {{ansible_host: 192.0.2.1}}}}}}
    workers: {{hosts: {{w1: {{ansible_host: 192.0.2.2{host}}}}}}}
"""


def encrypt(path: Path) -> None:
    password = path.parent / "password"
    password.write_text(PASSWORD)
    program = str(Path(sys.executable).with_name("ansible-vault"))
    command = [program, "encrypt", "--vault-password-file", str(password), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    password.unlink()


def write_program(path: Path, variables: Mapping[str, object]) -> None:
    groups = {"master": {"hosts": ["m1"]}, "workers": {"hosts": ["w1"]}, "all": {"vars": variables}}
    hosts = {"m1": {"ansible_host": "192.0.2.1"}, "w1": {"ansible_host": "192.0.2.2"}}
    content = {**groups, "_meta": {"hostvars": hosts}}
    path.write_text(PROGRAM.format(python=sys.executable, content=content))
    path.chmod(0o755)


def as_plugin(place: Path) -> None:
    """As amazon.aws.aws_ec2: hosts from elsewhere, groups and variables computed."""
    write_program(place / "a_hosts.py", {"fleet_operator_networks": ["192.0.2.0/24"]})
    (place / "z_constructed.yml").write_text(
        "plugin: ansible.builtin.constructed\n"
        "compose: {fleet_adress: ansible_host, instance_id: \"'i-1'\", ansible_become_password: "
        "\"'from the cloud'\"}\n"
    )


def in_group_vars(place: Path) -> None:
    (place / "hosts.ini").write_text(ini())
    (place / "group_vars").mkdir()
    (place / "group_vars" / "workers.yml").write_text("fleet_web_prot: 8443\n")


def encrypted(place: Path) -> None:
    (place / "hosts.ini").write_text(ini("ansible_become_password=hunter2"))
    encrypt(place / "hosts.ini")


MISSPELT = "and no role has a variable of this name; did you mean fleet_web_port?"
CLEAR = "ansible_become_password is in clear text, and a secret must come from Vault"
CASES: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "ini": (lambda place: (place / "hosts.ini").write_text(ini()), []),
    "yaml": (lambda place: (place / "hosts.yml").write_text(yaml()), []),
    "program": (lambda place: write_program(place / "hosts", {"fleet_operator_networks": []}), [
        "fleet_operator_networks is an empty list",
    ]),
    "ini_misspelt": (
        lambda place: (place / "hosts.ini").write_text(ini("fleet_web_prot=8443")),
        [f"hosts.ini:8: fleet_web_prot is 8443, {MISSPELT}"],
    ),
    "ini_misspelt_for_a_host": (
        lambda place: (place / "hosts").write_text(ini(host="fleet_web_prot=8443")),
        [f"hosts:5: fleet_web_prot is 8443, {MISSPELT}"],
    ),
    "ini_in_clear": (
        lambda place: (place / "hosts.ini").write_text(ini("ansible_become_password=hunter2")),
        [f"hosts.ini:8: {CLEAR}"],
    ),
    "ini_legacy_in_clear": (
        lambda place: (place / "hosts.ini").write_text(ini(host="ansible_ssh_pass=hunter2")),
        ["hosts.ini:5: ansible_ssh_pass is in clear text"],
    ),
    "yaml_misspelt": (
        lambda place: (place / "hosts.yml").write_text(yaml("fleet_web_prot: 8443")),
        [f"hosts.yml:4: fleet_web_prot is 8443, {MISSPELT}"],
    ),
    "group_vars": (in_group_vars, [f"workers.yml:1: fleet_web_prot is 8443, {MISSPELT}"]),
    "encrypted_ini": (encrypted, []),
    "plugin": (as_plugin, ["fleet_adress is '192.0.2.1'", "fleet_adress is '192.0.2.2'"]),
}  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """The faults by case, read by one process."""
    root = tmp_path_factory.mktemp("inventories")
    for name, (write, _) in CASES.items():
        (root / name).mkdir()
        write(root / name)
    command = [sys.executable, "-m", "tests.unit.playbooks.read_inventories"]
    places = [str(root / name) for name in CASES]
    told = subprocess.run(
        [*command, *places], check=True, capture_output=True, text=True, timeout=120, cwd=PROJECT
    )
    return {Path(path).name: faults for path, faults in json.loads(told.stdout).items()}


@pytest.mark.parametrize("case", CASES)
def test_the_check_finds_the_same_in_each_form(case: str, found: dict[str, list[str]]) -> None:
    expected = CASES[case][1]
    assert len(found[case]) == len(expected), found[case]
    for sentence in expected:
        assert any(sentence in fault for fault in found[case]), found[case]
    assert "hunter2" not in "".join(found[case])
