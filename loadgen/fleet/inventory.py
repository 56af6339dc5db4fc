"""The hosts of a fleet, read from Ansible's inventory: the only list of hosts there is.

`ansible-inventory --list` reads it, with Vault; what is a template in it is resolved with Ansible's
own templating, for what SSH needs and nothing else.
"""

import json
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadgen.shared.errors import UsageError
from loadgen.shared.text import in_url

Variables = Mapping[str, Any]
TIMEOUT_SECONDS = 60
WEB_PORT = 8089
TARGET_PORT = 8000
EXPORTER_PORT = 9646
GRAFANA_PORT = 3000


@dataclass(frozen=True, slots=True)
class Node:
    """A machine of the fleet, and how SSH gets there.

    `ssh_options` are OpenSSH options by lower-case name, from ansible_ssh_common_args and
    ansible_ssh_extra_args; `ssh_config` is the file that their `-F` names. `become_password` is a
    secret: it goes to sudo's standard input only.
    """

    name: str
    address: str
    fleet_address: str
    user: str | None = None
    port: int | None = None
    key_file: Path | None = None
    ssh_options: Mapping[str, str] = field(default_factory=dict)
    ssh_config: Path | None = None
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

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Master and workers; the same host stands here once even if it is both."""
        return tuple({node.name: node for node in (self.master, *self.workers)}.values())

    @property
    def exporter_url(self) -> str:
        """Where the master's exporter answers."""
        return f"https://{in_url(self.master.fleet_address)}:{self.exporter_port}/metrics"


def load_inventory(path: Path) -> Inventory:
    """Read an inventory file or directory. UsageError: it can't be read, or is no fleet."""
    if not path.exists():
        raise UsageError(f"inventory {path} does not exist; {choices(path)}")
    return parse_inventory(path, _list(path))


def choices(path: Path, inventories: Path = Path("inventory")) -> str:
    """Name the inventories that are there, as the end of a sentence."""
    found = [entry for entry in sorted(inventories.glob("*")) if entry.is_dir() and entry != path]
    own = [str(entry) for entry in found if entry.name != "sample"]
    return (
        f"give INVENTORY={' or INVENTORY='.join(own)}"
        if own
        else (
            "copy inventory/sample and edit it, or run make lab, then give "
            "INVENTORY=inventory/<name>"
        )
    )


def parse_inventory(path: Path, listed: Mapping[str, Any]) -> Inventory:
    """Turn what `ansible-inventory --list` prints into a fleet. UsageError: it is none."""
    hostvars: Mapping[str, Variables] = listed.get("_meta", {}).get("hostvars", {})

    def resolved(name: str) -> _Resolved:
        return _resolve(path, hostvars.get(name, {}))

    def nodes(group: str) -> tuple[Node, ...]:
        names = list(dict.fromkeys(_members(listed, group)))
        return tuple(_node(name, resolved(name)) for name in names)

    masters, workers = nodes("master"), nodes("workers")
    if len(masters) != 1 or not workers:
        raise UsageError(
            f"{path} has {len(masters)} hosts in group master and {len(workers)} in group workers; "
            "a fleet has exactly one master and at least one worker: see inventory/sample/hosts.yml"
        )
    master = resolved(masters[0].name)
    targets = [
        f"http://{in_url(target.fleet_address)}:{master.get('fleet_target_port', TARGET_PORT)}"
        for target in nodes("targets")
    ]
    monitoring = nodes("monitoring")
    grafanas = [
        f"https://{in_url(node.fleet_address)}:{variables.get('grafana_port', GRAFANA_PORT)}"
        for node in monitoring
        if (variables := resolved(node.name)).get("grafana_source", "none") != "none"
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


def limit(nodes: Iterable[Node], pattern: str) -> tuple[Node, ...]:
    """Return the nodes that a comma-separated list names. UsageError: one isn't there."""
    by_name = {node.name: node for node in nodes}
    names = [name for name in pattern.replace(" ", "").split(",") if name]
    unknown = [name for name in names if name not in by_name]
    if unknown or not names:
        raise UsageError(
            f"HOST_LIMIT={pattern} names {', '.join(unknown) or 'no host'}, which is not among "
            f"{', '.join(by_name)}; give one or more of them with commas"
        )
    return tuple(by_name[name] for name in names)


def _list(path: Path) -> Mapping[str, Any]:
    program = Path(sys.executable).with_name("ansible-inventory")
    try:
        finished = subprocess.run(
            [str(program), "--inventory", str(path), "--list"],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise UsageError(
            f"{program} is missing: set this machine up as a controller with make .venv/.controller"
        ) from error
    if finished.returncode != 0:
        lines = [line for line in finished.stderr.splitlines() if line.startswith("ERROR")]
        raise UsageError(
            f"inventory {path} can't be read: {' '.join(lines) or finished.stderr.strip()}"
        )
    listed: Mapping[str, Any] = json.loads(finished.stdout)
    return listed


def _members(listed: Mapping[str, Any], group: str) -> Iterable[str]:
    entry = listed.get(group, {})
    yield from entry.get("hosts", [])
    for child in entry.get("children", []):
        yield from _members(listed, child)


class _Resolved:
    """A host's variables, with templates resolved when they are asked for."""

    def __init__(self, variables: Variables) -> None:
        # ansible is a controller's package; nodes import this module without it.
        from ansible.parsing.dataloader import DataLoader  # noqa: PLC0415
        from ansible.template import Templar  # noqa: PLC0415

        self._variables = variables
        self._templar = Templar(loader=DataLoader(), variables=dict(variables))

    def get(self, name: str, default: object = None) -> Any:  # noqa: ANN401 - Ansible's are untyped
        value = self._variables.get(name, default)
        if isinstance(value, str) and "{{" in value:
            return self._templar.template(value)
        return value


def _resolve(path: Path, variables: Variables) -> _Resolved:
    directory = (path if path.is_dir() else path.parent).resolve()
    return _Resolved({"inventory_dir": str(directory), "inventory_file": str(path), **variables})


def _node(name: str, variables: _Resolved) -> Node:
    arguments = [str(variables.get(f"ansible_ssh_{kind}_args", "")) for kind in ("common", "extra")]
    options, config = parse_ssh_arguments(" ".join(arguments))
    address = str(variables.get("ansible_host", name))
    key = variables.get("ansible_ssh_private_key_file") or variables.get("ansible_private_key_file")
    port = variables.get("ansible_port")
    password = variables.get("ansible_become_password") or variables.get("ansible_become_pass")
    return Node(
        name=name,
        address=address,
        fleet_address=str(variables.get("fleet_address", address)),
        user=variables.get("ansible_user"),
        port=int(port) if port else None,
        key_file=Path(key).expanduser() if key else None,
        ssh_options=options,
        ssh_config=config,
        become_password=str(password) if password else None,
    )


def parse_ssh_arguments(arguments: str) -> tuple[dict[str, str], Path | None]:
    """Read `-o Name=value`, `-J host` and `-F file`; others don't concern a connection by us."""
    options: dict[str, str] = {}
    config: Path | None = None
    words = iter(shlex.split(arguments))
    for word in words:
        flag, value = word[:2], word[2:]
        if flag not in ("-o", "-F", "-J"):
            continue
        value = value or next(words, "")
        if flag == "-F":
            config = Path(value).expanduser()
        elif flag == "-J":
            options["proxyjump"] = value
        else:
            key, _, setting = value.replace("=", " ", 1).partition(" ")
            options[key.strip().lower()] = setting.strip()
    return options, config
