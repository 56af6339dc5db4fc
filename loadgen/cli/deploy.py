"""Verbs on a fleet's desired state: each runs a playbook, and one at a time changes a fleet."""

import argparse
import getpass
import ipaddress
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from loadgen.deploy.ansible_user import require_user
from loadgen.deploy.inventory_lock import hold
from loadgen.shared.errors import UsageError
from loadgen.shared.project import KIT, cache_directory, own_directory

PLAYBOOKS = KIT / "playbooks"
SAMPLE = "sample"
ASK = "--ask-vault-pass"
EXAMPLE_NETWORKS = tuple(
    map(ipaddress.ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"))
)
EXAMPLE_DOMAINS = (".example.com", ".example.net", ".example.org", ".example")


def playbook(name: str, options: Sequence[str]) -> list[str]:
    """Return the command that runs a playbook.

    UsageError: Ansible or the playbook is missing, or this user can't run Ansible.
    """
    program = Path(sys.executable).with_name("ansible-playbook")
    path = PLAYBOOKS / f"{name}.yml"
    if not program.is_file():
        raise UsageError(
            f"{program} is not installed in this Python environment: run make {name}, "
            f"which installs what is needed"
        )
    if not path.is_file():
        raise UsageError(
            f"{path} does not exist: run loadgen {name} from a clone of the repository"
        )
    require_user()
    return [str(program), *options, str(path)]


def become(command: list[str], **environment: str) -> int:
    """Turn this process into Ansible, which then gets its signals and holds its locks."""
    settings = {
        "ANSIBLE_CONFIG": str(KIT / "ansible.cfg"),
        "LOADGEN_CACHE": str(cache_directory()),
    }
    os.execve(command[0], command, settings | os.environ | environment)  # noqa: S606 - our own


def require_inventory(path: Path) -> None:
    """Raise UsageError, naming what there is, unless the inventory exists."""
    if str(path) and path.exists():
        return
    there = [
        os.path.relpath(one)
        for one in sorted((own_directory() / "inventory").glob("*/"))
        if one.name != SAMPLE
    ]
    names = ", ".join(there) or "none yet (copy inventory/sample to inventory/NAME and edit it)"
    raise UsageError(
        f"--inventory {path} does not exist, and nothing was changed. The existing "
        f"inventories are: {names}"
    )


def require_fleet(options: argparse.Namespace) -> None:
    """Raise UsageError unless the inventory can be read and describes a fleet.

    Ansible would end with 1 and its own warnings, or with 0 where no host has a group of ours. It
    is left to Ansible where it takes a password that is typed, or variables of the command line.
    """
    # The verbs of the lab need no fleet's packages.
    from loadgen.fleet.inventory import load_inventory  # noqa: PLC0415

    vault = [word for word in options.vault if word != ASK]
    if all(map(vault_identity, vault)) and not any(map(_adds_variables, options.passed_on)):
        inventory = load_inventory(options.inventory, vault)
        for node in (*inventory.nodes, *inventory.monitoring):
            if _is_an_example(node.address):
                raise UsageError(
                    f"{options.inventory} still has the host {node.name} ({node.address}) of the "
                    "sample inventory: enter your own hosts in its hosts.yml; nothing was changed"
                )


def _is_an_example(address: str) -> bool:
    """Tell the addresses and names that documents use for nobody's hosts (RFC 5737, RFC 2606)."""
    try:
        return any(ipaddress.ip_address(address) in network for network in EXAMPLE_NETWORKS)
    except ValueError:
        return address.rstrip(".").lower().endswith(EXAMPLE_DOMAINS)


def _adds_variables(word: str) -> bool:
    return word.startswith(("-e", "--extra-vars", "-i", "--inventory"))


def untemplated(name: str, path: Path) -> str:
    """Return a variable for Ansible that holds a path; it would look for templates in a text."""
    return json.dumps({name: {"__ansible_unsafe": os.path.abspath(path)}})  # noqa: PTH100 - as typed


def change(name: str) -> Callable[[argparse.Namespace], int]:
    """Return what runs a playbook while nobody else changes the fleet."""

    def carry_out(options: argparse.Namespace) -> int:
        require_inventory(options.inventory)
        command = playbook(name, _options(options))
        require_fleet(options)
        hold(options.inventory)
        return become(command)

    return carry_out


def look(options: argparse.Namespace) -> int:
    """Carry out `loadgen verify`, which may run beside a change."""
    require_inventory(options.inventory)
    command = playbook("verify", _options(options))
    require_fleet(options)
    return become(command)


def _options(options: argparse.Namespace) -> list[str]:
    if getattr(options, "locustfile", None):
        raise UsageError(
            "deploy no longer takes a locustfile, because each run copies its own to the hosts:"
            f" give it to the run, as in loadgen run --inventory {options.inventory}"
            f" --locustfile {options.locustfile}; nothing was changed"
        )
    vault = [word for word in options.vault if word != ASK]
    if len(vault) < len(options.vault):
        _ask_for_all()
    if own := ",".join(filter(None, map(vault_identity, vault))):
        # Programs that a playbook calls on this machine read the inventory too.
        before = os.environ.get("ANSIBLE_VAULT_IDENTITY_LIST")
        os.environ["ANSIBLE_VAULT_IDENTITY_LIST"] = f"{before},{own}" if before else own
    return ["--inventory", str(options.inventory), *vault, *options.passed_on]


def vault_identity(word: str) -> str:
    """Return what Ansible's environment calls an option for Vault; empty for one that asks."""
    option, _, value = word.partition("=")
    name, at, source = value.rpartition("@") if option == "--vault-id" else ("", "", value)
    if source in ("prompt", "prompt_ask_vault_pass"):
        return ""
    return f"{name or 'default'}{at or '@'}{os.path.abspath(source)}"  # noqa: PTH100 - as typed


def _ask_for_all() -> None:
    """Ask for Vault's password once; a playbook that calls loadgen again finds it too.

    It lies in this process's memory, which Ansible takes over, and which its user alone may read.
    """
    password = getpass.getpass("Vault password: ")
    descriptor = os.memfd_create("vault", 0)
    os.fchmod(descriptor, 0o400)
    os.write(descriptor, password.encode())
    os.environ["ANSIBLE_VAULT_PASSWORD_FILE"] = f"/proc/{os.getpid()}/fd/{descriptor}"
