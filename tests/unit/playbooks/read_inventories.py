"""Prints the faults that the inventory check finds: {inventory: [sentence]}, as JSON.

python -m tests.unit.playbooks.read_inventories INVENTORY…
"""

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

from ansible.constants import DEFAULT_VAULT_ID_MATCH
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultSecret
from ansible.plugins.loader import init_plugin_loader
from ansible.vars.hostvars import HostVars
from ansible.vars.manager import VariableManager

from loadgen.deploy.inventory_rules import check

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"
PASSWORD = "secretpass"


def _check_plugin() -> Any:
    path = PLAYBOOKS / "action_plugins" / "inventory_check.py"
    specification = importlib.util.spec_from_file_location("inventory_check", path)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def faults_of(path: str, plugin: Any) -> list[str]:
    loader = DataLoader()
    loader.set_vault_secrets([(DEFAULT_VAULT_ID_MATCH, VaultSecret(PASSWORD.encode()))])
    inventory = InventoryManager(loader=loader, sources=[path])
    manager = VariableManager(loader=loader, inventory=inventory)
    variables = {
        "ansible_inventory_sources": [path],
        "groups": inventory.get_groups_dict(),
        "hostvars": HostVars(inventory, manager, loader),
        "playbook_dir": str(PLAYBOOKS),
    }
    specifications = plugin.read_specifications(PLAYBOOKS / "roles")
    found = plugin.read_inventory(loader, variables, specifications)
    return [str(fault) for fault in check(found, specifications, lambda *_: True)]


if __name__ == "__main__":
    init_plugin_loader()
    checking = _check_plugin()
    print(json.dumps({path: faults_of(path, checking) for path in sys.argv[1:]}))
