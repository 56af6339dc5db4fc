"""The hosts of a fleet, read from Ansible's inventory: the only list of hosts there is.

Ansible itself reads it, with Vault and templates (`loadgen.fleet.ansible_hosts`), and says how it
would reach each host.
"""

import json
import os
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from loadgen.deploy.ansible_user import require_user
from loadgen.shared.errors import UsageError
from loadgen.shared.project import KIT, PYTHON_MODULE
from loadgen.shared.text import in_url
from loadgen.specification.ports import EXPORTER_PORT, WEB_PORT

TIMEOUT_SECONDS = 300
TARGET_PORT = 8000
GRAFANA_PORT = 3000
_UNPARSED = re.compile(r"Completely failed to parse inventory source (.+)")
_NO_YAML = re.compile(
    r"yaml plugin: .*?Syntax Error while loading YAML\. (?P<what>.+?) The error appears to be in "
    r"'.+?': line (?P<line>\d+)"
)
_NO_INI = re.compile(r"ini plugin: .+?:(?P<line>\d+): (?P<what>.+?)(?: \[WARNING\]| ERROR!|$)")


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the fleet, and how Ansible gets there.

    `ssh` is the ssh command without the destination, `address`; empty for this machine itself.
    `sshpass` comes before it where `ssh_password` is set. `start` is the command that becomes root,
    prints `started`, then runs one line of its input; it asks with `prompt` for `become_password`,
    if it asks at all. Both passwords are secrets: they go to those who ask, never onto a command
    line.
    """

    name: str
    address: str
    fleet_address: str
    user: str | None = None
    key_file: Path | None = None
    ssh: tuple[str, ...] = ()
    sshpass: tuple[str, ...] = ()
    ssh_password: str | None = field(default=None, repr=False)
    start: str = ""
    started: str = ""
    prompt: str = ""
    become_password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Inventory:
    """A fleet: one master, its workers, and the hosts that only watch.

    `target` is the base URL of the first simulated target of group targets, `grafana` that of the
    first Grafana that the inventory installs, if there is one.
    """

    path: Path
    master: Node
    workers: tuple[Node, ...]
    monitoring: tuple[Node, ...]
    web_port: int = WEB_PORT
    exporter_port: int = EXPORTER_PORT
    target: str | None = None
    grafana: str | None = None
    vault: tuple[str, ...] = ()
    """Ansible's options for Vault, with which it was read."""

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Master and workers; the same host stands here once even if it is both."""
        return tuple({node.name: node for node in (self.master, *self.workers)}.values())

    @property
    def exporter_url(self) -> str:
        """Where the master's exporter answers."""
        return f"https://{in_url(self.master.fleet_address)}:{self.exporter_port}/metrics"


def load_inventory(path: Path, vault: Sequence[str] = ()) -> Inventory:
    """Read an inventory file or directory. UsageError: it can't be read, or is no fleet.

    `vault` are Ansible's options for Vault; a prompt appears in the terminal.
    """
    if not path.exists():
        raise UsageError(f"inventory {path} does not exist; {choices(path)}")
    return replace(parse_inventory(path, _list(path, vault)), vault=tuple(vault))


def choices(path: Path, inventories: Path = Path("inventory")) -> str:
    """Name the inventories that are there, as the end of a sentence."""
    found = [entry for entry in sorted(inventories.glob("*")) if entry.is_dir() and entry != path]
    own = [str(entry) for entry in found if entry.name != "sample"]
    return (
        f"give --inventory {' or --inventory '.join(own)}"
        if own
        else (
            "copy inventory/sample (in a project of loadgen init: edit inventory/mine), or run "
            "loadgen lab; then name the directory with --inventory"
        )
    )


def parse_inventory(path: Path, found: Mapping[str, Any]) -> Inventory:
    """Turn what `ansible_hosts` prints into a fleet. UsageError: it is none."""

    def nodes(group: str) -> tuple[Node, ...]:
        names = dict.fromkeys(found["groups"].get(group, ()))
        return tuple(_node(name, found["hosts"][name]) for name in names)

    masters, workers = nodes("master"), nodes("workers")
    if len(masters) != 1 or not workers:
        raise UsageError(
            f"{path} has {len(masters)} hosts in group master and {len(workers)} in group workers; "
            "a fleet has exactly one master and at least one worker: see inventory/sample/hosts.yml"
        )
    master = found["hosts"][masters[0].name]["variables"]
    targets = [
        f"http://{in_url(target.fleet_address)}:{master.get('fleet_target_port', TARGET_PORT)}"
        for target in nodes("targets")
    ]
    monitoring = nodes("monitoring")
    grafanas = [
        f"https://{in_url(node.fleet_address)}:{variables.get('grafana_port', GRAFANA_PORT)}"
        for node in monitoring
        if (variables := found["hosts"][node.name]["variables"]).get("grafana_source", "none")
        != "none"
    ]
    return Inventory(
        path=path,
        master=masters[0],
        workers=workers,
        monitoring=monitoring,
        web_port=int(master.get("fleet_web_port", WEB_PORT)),
        exporter_port=int(master.get("fleet_exporter_port", EXPORTER_PORT)),
        target=next(iter(targets), None),
        grafana=next(iter(grafanas), None),
    )


def _unparsed(path: Path, source: str, errors: str) -> str:
    """Return what is wrong with a file, or with a directory in which Ansible reads no file."""
    if Path(source).is_dir():
        return f"the directory {path} has no inventory file in it, such as hosts.yml"
    file = os.path.relpath(source)
    errors = " ".join(errors.split())  # Ansible breaks lines where a terminal would end
    is_yaml = Path(source).suffix in (".yml", ".yaml", ".json")
    if is_yaml and (found := _NO_YAML.search(errors)):
        return f"{file} is not valid YAML, line {found['line']}: {found['what']}"
    if not is_yaml and (found := _NO_INI.search(errors)):
        return f"{file} is not an inventory, line {found['line']}: {found['what']}"
    return f"{file} is not an inventory"


def _node(name: str, found: Mapping[str, Any]) -> Node:
    def text(key: str) -> str | None:
        return str(found[key]) if found.get(key) else None

    return Node(
        name=name,
        address=str(found["address"]),
        fleet_address=str(found["variables"].get("fleet_address", found["address"])),
        user=text("user"),
        key_file=Path(found["key_file"]).expanduser() if found.get("key_file") else None,
        ssh=tuple(found["ssh"]),
        sshpass=tuple(found["sshpass"]),
        ssh_password=text("ssh_password"),
        start=found["start"],
        started=found["started"],
        prompt=found["prompt"],
        become_password=text("become_password"),
    )


def limit(nodes: Iterable[Node], pattern: str) -> tuple[Node, ...]:
    """Return the nodes that a comma-separated list names. UsageError: one isn't there."""
    by_name = {node.name: node for node in nodes}
    names = [name for name in pattern.replace(" ", "").split(",") if name]
    unknown = [name for name in names if name not in by_name]
    if unknown or not names:
        raise UsageError(
            f"--host-limit {pattern} names {', '.join(unknown) or 'no host'}, but the "
            f"inventory's hosts are {', '.join(by_name)}; give one or more of them, "
            f"separated by commas"
        )
    return tuple(by_name[name] for name in names)


def _list(path: Path, vault: Sequence[str]) -> Mapping[str, Any]:
    require_user()
    # In the directory of the playbooks, for their group_vars count too.
    module = [*PYTHON_MODULE, "loadgen.fleet.ansible_hosts"]
    own = ["--playbook-dir", str(KIT / "playbooks"), "--inventory", str(path)]
    environment = {"ANSIBLE_CONFIG": str(KIT / "ansible.cfg")} | os.environ
    finished = subprocess.run(
        [*module, *own, *vault],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
        env=environment,
    )
    if finished.returncode != 0:
        raise UsageError(f"inventory {path} can't be read: {_told(path, finished.stderr)}")
    listed: Mapping[str, Any] = json.loads(finished.stdout)
    return listed


def _told(path: Path, errors: str) -> str:
    """Return why Ansible can't read an inventory, and what to do."""
    if found := _UNPARSED.search(errors):
        reason = _unparsed(path, found[1], errors)
        return f"{reason}; correct it, or begin with a copy of inventory/sample"
    if "No module named 'ansible'" in errors:
        return "Ansible is missing: set this machine up as a controller with make .venv/.controller"
    lines = [line for line in errors.splitlines() if line.startswith("ERROR")]
    told = " ".join(lines).removeprefix("ERROR! ") or (errors.strip().splitlines() or [""])[-1]
    if "vault" in told.lower():
        told += (
            "; give --ask-vault-pass or --vault-password-file, or set ANSIBLE_VAULT_PASSWORD_FILE"
        )
    return told
