"""Check the inventory on the controller before any host is touched; all faults come at once."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase

from loadgen.deploy.inventory_rules import Definition, Inventory, check

VAULT_HEADER = b"$ANSIBLE_VAULT"


class ActionModule(ActionBase):  # type: ignore[misc]
    """Takes no argument: it looks at the inventory that this playbook was started with."""

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Fail with one line a fault."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        specifications = read_specifications(Path(variables["playbook_dir"]) / "roles")
        inventory = read_inventory(self._loader, variables)
        validators = {name: ArgumentSpecValidator({name: s}) for name, s in specifications.items()}

        def accepts(name: str, value: object) -> bool:
            return not validators[name].validate({name: value}).error_messages

        faults = check(inventory, specifications, accepts)
        if faults:
            lines = "\n".join(f"  {fault}" for fault in faults)
            message = f"The inventory has {len(faults)} fault(s); no host was touched.\n{lines}"
            return {**result, "failed": True, "msg": message}
        return {**result, "changed": False}


def read_specifications(roles: Path) -> dict[str, dict[str, Any]]:
    """Options of all roles by variable name; `required` ones count for a fleet as a whole."""
    options: dict[str, dict[str, Any]] = {}
    for path in sorted(roles.glob("*/meta/argument_specs.yml")):
        for entry in yaml.safe_load(path.read_text())["argument_specs"].values():
            options.update(entry.get("options", {}))
    return {
        name: {k: v for k, v in one.items() if k != "description"} for name, one in options.items()
    }


def read_inventory(loader: DataLoader, variables: Mapping[str, Any]) -> Inventory:
    """Collect groups, resolved variables and definitions of the inventory in use."""
    sources = [Path(source) for source in variables["ansible_inventory_sources"]]
    definitions = [one for source in sources for one in read_definitions(loader, source)]
    names = {one.name for one in definitions}
    hosts = {host for hosts in variables["groups"].values() for host in hosts}
    resolved = {}
    for host in hosts:
        own = variables["hostvars"][host]
        resolved[host] = {name: own[name] for name in names if name in own}
    place = ", ".join(str(source) for source in sources)
    return Inventory(place, variables["groups"], resolved, definitions)


def read_definitions(loader: DataLoader, source: Path) -> Iterator[Definition]:
    """Yield every variable that the inventory's YAML files set, with its place."""
    directory = source if source.is_dir() else source.parent
    hosts_files = (
        sorted(p for p in directory.iterdir() if p.is_file()) if source.is_dir() else [source]
    )
    for path in hosts_files:
        if path.suffix in {".yml", ".yaml"}:
            for name, group in (_load(loader, path) or {}).items():
                yield from _group_definitions(str(name), group or {}, _is_vault(path))
    for kind in ("group_vars", "host_vars"):
        for path in sorted((directory / kind).rglob("*")):
            if path.is_file() and path.suffix in {".yml", ".yaml", ".json", ""}:
                scope = path.relative_to(directory / kind).parts[0].removesuffix(path.suffix)
                yield from _definitions(scope, _load(loader, path) or {}, _is_vault(path))


def _load(loader: DataLoader, path: Path) -> dict[str, Any] | None:
    content: dict[str, Any] | None = loader.load_from_file(str(path), unsafe=False)
    return content


def _is_vault(path: Path) -> bool:
    return path.read_bytes().startswith(VAULT_HEADER)


def _group_definitions(name: str, group: Mapping[str, Any], vaulted: bool) -> Iterator[Definition]:
    yield from _definitions(name, group.get("vars") or {}, vaulted)
    for host, variables in (group.get("hosts") or {}).items():
        yield from _definitions(str(host), variables or {}, vaulted)
    for child, content in (group.get("children") or {}).items():
        yield from _group_definitions(str(child), content or {}, vaulted)


def _definitions(scope: str, variables: Mapping[str, Any], vaulted: bool) -> Iterator[Definition]:
    for name, value in variables.items():
        file, line, _ = getattr(name, "ansible_pos", ("the inventory", 0, 0))
        yield Definition(str(name), value, scope, f"{file}:{line}", vaulted)
