"""Hosts that `make deploy` adds to a run under way: they are stopped and collected with it."""

from collections.abc import Collection
from dataclasses import replace

from loadgen.fleet.connections.ssh import Remote, ask_all
from loadgen.fleet.inventory import Inventory, load_inventory
from loadgen.fleet.requests import Status
from loadgen.shared.errors import UsageError

PROMPT = "--ask-vault-pass"


def find_joined(inventory: Inventory, known: Collection[str], run_id: str) -> dict[str, Remote]:
    """Return worker hosts that the inventory names by now, are not `known`, and are in this run.

    A host that doesn't answer is none of them. Where Vault's password is typed the inventory is
    not read again, since nobody may be there to type it at a run's end.
    """
    if PROMPT in inventory.vault:
        return {}
    try:
        now = load_inventory(inventory.path, inventory.vault)
    except UsageError:
        return {}
    new = {node.name: Remote(node) for node in now.workers if node.name not in known}
    told = ask_all(new, Status())
    joined = {}
    for name, remote in new.items():
        if name in told.answers and told.answers[name].run_id == run_id:
            joined[name] = remote
        else:
            remote.close()
    return joined


def with_joined(inventory: Inventory, joined: dict[str, Remote]) -> Inventory:
    """Return the fleet with those hosts among its workers."""
    nodes = tuple(remote.node for remote in joined.values())
    return replace(inventory, workers=(*inventory.workers, *nodes))
