"""Variables and templates of the roles, as Ansible itself evaluates them, without a host."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar

from tests.unit.playbooks.modules import PLAYBOOKS, load_filters

ROLES = PLAYBOOKS / "roles"
HOSTS = {
    "master": ["master1"],
    "workers": ["worker1"],
    "monitoring": ["monitor1"],
    "targets": ["target1"],
}
RHEL = {
    "distribution": "RedHat",
    "distribution_major_version": "8",
    "os_family": "RedHat",
    "selinux": {"status": "enabled"},
}
PREFLIGHT = {
    "firewalld": False,
    "missing": [],
    "masked": [],
    "installed": [],
    "links": [],
    "rival_firewalls": [],
    "fapolicyd": False,
    "free_bytes": 1 << 40,
}


@cache
def own_variables() -> dict[str, Any]:
    """Return defaults and variables of all roles."""
    found: dict[str, Any] = {}
    for kind in ("defaults", "vars"):
        for path in sorted(ROLES.glob(f"*/{kind}/main.yml")):
            found.update(yaml.safe_load(path.read_text()) or {})
    return found


@cache
def start_plugins() -> None:
    """Let Ansible find its filters and tests, once a process."""
    init_plugin_loader()


def templar(host: str = "master1", **variables: Any) -> Templar:
    """Return what evaluates expressions for a host of a fleet of four."""
    start_plugins()
    groups = [group for group, hosts in HOSTS.items() if host in hosts]
    given = {
        **own_variables(),
        "ansible_facts": RHEL,
        "ansible_managed": "Ansible managed",
        "fleet_operator_networks": ["192.0.2.0/24"],
        "group_names": groups,
        "groups": HOSTS,
        "hostvars": {name: {} for hosts in HOSTS.values() for name in hosts},
        "inventory_dir": "/inventory",
        "inventory_hostname": host,
        "playbook_dir": str(PLAYBOOKS),
        "__preflight": PREFLIGHT,
        **variables,
    }
    made = Templar(loader=DataLoader(), variables=given)
    for name in ("fleet", "certificates", "credentials"):
        made.environment.filters._delegatee.update(load_filters(name))
    return made


def evaluate(expression: str, host: str = "master1", **variables: Any) -> Any:
    """Return an expression's value on a host."""
    return templar(host, **variables).template(f"{{{{ {expression} }}}}")


def render(template: Path, host: str = "master1", **variables: Any) -> str:
    """Return a template's text on a host."""
    made = templar(host, **variables)
    made.environment.loader.searchpath = [str(template.parents[i]) for i in range(6)]
    text: str = made.template(template.read_text())
    return text
