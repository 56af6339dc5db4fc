"""Check the inventory on the controller before any host is touched; all faults come at once."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ansible import constants
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.action import ActionBase

from loadgen.deploy.inventory_rules import AnsibleInventory, Definition, check

VAULT_HEADER = b"$ANSIBLE_VAULT"
YAML = (".yml", ".yaml")
GIVEN_BY_ANSIBLE = ("inventory_file", "inventory_dir")
_SECTION = re.compile(r"^\s*\[([^\]]+)\]")


class ActionModule(ActionBase):  # type: ignore[misc]
    """Takes no argument: it looks at the inventory that this playbook was started with."""

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Fail with one line a fault."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = task_vars or {}
        specifications = read_specifications(Path(variables["playbook_dir"]) / "roles")
        inventory = read_inventory(self._loader, variables, specifications)
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


def read_inventory(
    loader: DataLoader, variables: Mapping[str, Any], specified: Iterable[str]
) -> AnsibleInventory:
    """Collect groups, resolved variables and definitions of the inventory in use."""
    sources = [Path(source) for source in variables["ansible_inventory_sources"]]
    definitions = list(read_definitions(loader, variables, sources))
    names = {*(one.name for one in definitions), *specified}
    resolved = {}
    for host in {host for hosts in variables["groups"].values() for host in hosts}:
        own = variables["hostvars"][host]
        resolved[host] = {name: own[name] for name in names if name in own}
    place = ", ".join(str(source) for source in sources)
    return AnsibleInventory(place, variables["groups"], resolved, definitions)


def read_definitions(
    loader: DataLoader, variables: Mapping[str, Any], sources: Sequence[Path]
) -> Iterator[Definition]:
    """Yield every variable that the inventory sets: what files say, then what else Ansible got."""
    files = [path for source in sources for path in _files(source)]
    written = [one for path in files if _is_yaml(loader, path) for one in _of_hosts(loader, path)]
    directories = [source if source.is_dir() else source.parent for source in sources]
    for directory in dict.fromkeys([*directories, Path(variables["playbook_dir"])]):
        written += _of_variable_files(loader, directory)
    yield from written
    known = {(one.scope, one.name) for one in written}
    texts = [path for path in files if not _is_program(path) and not _is_plugin(loader, path)]
    computes = len(texts) < len(files)
    place = ", ".join(str(source) for source in sources)
    for scope, name, value in _resolved(variables["hostvars"]._inventory):
        if (scope, name) not in known:
            found = next(
                filter(None, (_line_of(loader, path, scope, name) for path in texts)), None
            )
            vaulted = found is not None and _is_vault(Path(found.rpartition(":")[0]))
            computed = computes and found is None
            yield Definition(name, value, scope, found or place, vaulted, computed)


def _resolved(manager: InventoryManager) -> Iterator[tuple[str, str, object]]:
    """Yield (group or host, variable, value) of all that inventory sources set, of any format."""
    for one in (*manager.groups.values(), *manager.hosts.values()):
        for name, value in one.vars.items():
            if name not in GIVEN_BY_ANSIBLE:
                yield one.name, str(name), value


def _files(source: Path) -> list[Path]:
    if not source.is_dir():
        return [source] if source.is_file() else []
    ignored = tuple(constants.INVENTORY_IGNORE_EXTS)
    return [
        path
        for path in sorted(source.iterdir())
        if path.is_file() and not path.name.startswith(".") and not path.name.endswith(ignored)
    ]


def _is_program(path: Path) -> bool:
    return os.access(path, os.X_OK) and path.read_bytes()[:2] == b"#!"


def _is_plugin(loader: DataLoader, path: Path) -> bool:
    return (
        path.suffix in YAML
        and isinstance(_load(loader, path), dict)
        and "plugin" in (_load(loader, path) or {})
    )


def _is_yaml(loader: DataLoader, path: Path) -> bool:
    return path.suffix in YAML and not _is_program(path) and not _is_plugin(loader, path)


def _of_hosts(loader: DataLoader, path: Path) -> Iterator[Definition]:
    content = _load(loader, path)
    for name, group in content.items() if isinstance(content, dict) else ():
        yield from _group_definitions(str(name), group or {}, _is_vault(path))


def _of_variable_files(loader: DataLoader, directory: Path) -> Iterator[Definition]:
    for kind in ("group_vars", "host_vars"):
        for path in sorted((directory / kind).rglob("*")):
            if path.is_file() and path.suffix in {*YAML, ".json", ""}:
                scope = path.relative_to(directory / kind).parts[0].removesuffix(path.suffix)
                yield from _definitions(scope, _load(loader, path) or {}, _is_vault(path))


def _line_of(loader: DataLoader, path: Path, scope: str, name: str) -> str | None:
    """Return file:line where an INI or TOML file sets a variable of a group or host."""
    section = ""
    content, _ = loader._get_file_contents(str(path))
    for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
        header = _SECTION.match(line)
        section = header.group(1) if header else section
        of_group = section.removesuffix(":vars") == scope
        of_host = line.split()[:1] == [scope]
        if (of_group or of_host) and re.search(rf"(^|\s){re.escape(name)}\s*=", line):
            return f"{path}:{number}"
    return None


def _load(loader: DataLoader, path: Path) -> dict[str, Any] | None:
    content: dict[str, Any] | None = loader.load_from_file(str(path), unsafe=False)
    return content


def _is_vault(path: Path) -> bool:
    return path.read_bytes().startswith(VAULT_HEADER)


def _group_definitions(name: str, group: Mapping[str, Any], vaulted: bool) -> Iterator[Definition]:
    if not isinstance(group, Mapping):
        return
    yield from _definitions(name, group.get("vars") or {}, vaulted)
    for host, variables in (group.get("hosts") or {}).items():
        yield from _definitions(str(host), variables or {}, vaulted)
    children = group.get("children") or {}
    for child, content in children.items() if isinstance(children, Mapping) else ():
        yield from _group_definitions(str(child), content or {}, vaulted)


def _definitions(scope: str, variables: Mapping[str, Any], vaulted: bool) -> Iterator[Definition]:
    for name, value in variables.items():
        file, line, _ = getattr(name, "ansible_pos", ("the inventory", 0, 0))
        yield Definition(str(name), value, scope, f"{file}:{line}", vaulted)
