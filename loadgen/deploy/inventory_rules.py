"""The rules that an inventory must keep, checked before any host is touched.

A *definition* is one place in the inventory's files that gives a variable a value. Everything here
is pure; `playbooks/action_plugins/inventory_check.py` reads the files and the values for it.
"""

import difflib
import ipaddress
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

FREE_PREFIXES = ("ansible_", "site_", "vault_")
LOGIN_SECRETS = (
    "ansible_password",
    "ansible_ssh_pass",
    "ansible_ssh_password",
    "ansible_become_password",
    "ansible_become_pass",
    "ansible_sudo_pass",
)
SECRETS = (*LOGIN_SECRETS, "credentials_web_users")
PORTS = ("fleet_web_port", "fleet_channel_port", "fleet_exporter_port", "fleet_target_port")
ADDRESSES = ("fleet_address", "ansible_host", "ansible_ssh_host")
GROUPS = ("master", "workers", "monitoring", "targets")
STANDARD_GROUPS = ("all", "ungrouped", *GROUPS)
HIDDEN = "(hidden)"


@dataclass(frozen=True)
class Definition:
    """One place that gives a variable a value; `vaulted` when that place is encrypted.

    `scope` is the group's or host's name, `place` reads file:line. It is `computed` when a program
    or a plugin gave it, which may name variables of its own, and has its secrets from elsewhere.
    """

    name: str
    value: object
    scope: str
    place: str
    vaulted: bool = False
    computed: bool = False


@dataclass(frozen=True)
class Fault:
    """What is wrong: the place, the value that is there, the rule, and what to do."""

    place: str
    variable: str
    value: str
    rule: str
    remedy: str = "correct it there"

    def __str__(self) -> str:
        return f"{self.place}: {self.variable} is {self.value}, and {self.rule}; {self.remedy}"


@dataclass(frozen=True)
class AnsibleInventory:
    """An inventory as Ansible reads it: hosts by group, resolved variables by host, definitions."""

    place: str
    groups: Mapping[str, Sequence[str]]
    variables: Mapping[str, Mapping[str, object]]
    definitions: Sequence[Definition]

    def place_of(self, name: str, host: str) -> str:
        """Where a host's variable is set: a definition for that host wins over one for a group."""
        found = [one for one in self.definitions if one.name == name]
        own = [one.place for one in found if one.scope == host]
        return (own + [one.place for one in found] + [self.place])[0]

    @property
    def hosts(self) -> list[str]:
        """Hosts of the fleet's groups, each once, in the order of the inventory."""
        return list(dict.fromkeys(host for name in GROUPS for host in self.groups.get(name, ())))


Specifications = Mapping[str, Mapping[str, object]]
Accepts = Callable[[str, object], bool]


def check(
    inventory: AnsibleInventory, specifications: Specifications, accepts: Accepts
) -> list[Fault]:
    """Return every fault at once, each once, in a stable order.

    `specifications` are the options of all roles' argument_specs by variable name; `accepts` tells
    whether a value has the type and choices that its specification asks for.
    """
    faults = [
        *_groups(inventory),
        *_unknown(inventory, specifications),
        *_in_clear(inventory),
        *_missing(inventory, specifications),
        *_types(inventory, specifications, accepts),
        *_networks(inventory),
        *_ports(inventory, specifications),
        *_addresses(inventory),
    ]
    return list(dict.fromkeys(faults))


def _groups(inventory: AnsibleInventory) -> Iterator[Fault]:
    members = {name: inventory.groups.get(name, ()) for name in GROUPS}
    if len(members["master"]) != 1:
        yield _group_fault(inventory, "master", "must contain exactly one host")
    if not members["workers"]:
        yield _group_fault(inventory, "workers", "must contain at least one host")
    for host in members["master"]:
        if host in members["workers"]:
            rule = (
                "must not contain the master: the load of a worker on that host would "
                "distort the master's statistics"
            )
            yield Fault(
                inventory.place, "group workers", host, rule, "give the master a host of its own"
            )


def _group_fault(inventory: AnsibleInventory, group: str, rule: str) -> Fault:
    hosts = ", ".join(inventory.groups.get(group, ())) or "empty"
    others = [name for name in inventory.groups if name not in STANDARD_GROUPS]
    near = difflib.get_close_matches(group, others, n=1)
    remedy = f"rename group {near[0]} to {group}" if near else "put the hosts there"
    return Fault(inventory.place, f"group {group}", hosts, rule, remedy)


def _unknown(inventory: AnsibleInventory, specifications: Specifications) -> Iterator[Fault]:
    own_prefixes = tuple({f"{name.partition('_')[0]}_" for name in specifications})
    for definition in inventory.definitions:
        name = definition.name
        if name in specifications or name.startswith(FREE_PREFIXES):
            continue
        if definition.computed and not name.startswith(own_prefixes):
            continue
        near = difflib.get_close_matches(name, specifications, n=1)
        remedy = f"did you mean {near[0]}?" if near else "name a variable of your own site_..."
        shown = HIDDEN if definition.vaulted else repr(definition.value)
        yield Fault(definition.place, name, shown, "no role has a variable of this name", remedy)


def _in_clear(inventory: AnsibleInventory) -> Iterator[Fault]:
    for definition in inventory.definitions:
        if not (definition.name in SECRETS or definition.name.startswith("vault_")):
            continue
        if definition.computed:
            continue
        if any(not definition.vaulted and not _refers(leaf) for leaf in _leaves(definition.value)):
            remedy = (
                "encrypt it with ansible-vault, and replace it with a new one, because "
                "others may have read the clear text"
            )
            rule = "a secret must come from Vault"
            yield Fault(definition.place, definition.name, "in clear text", rule, remedy)


def _leaves(value: object) -> Iterator[object]:
    if isinstance(value, Mapping):
        for one in value.values():
            yield from _leaves(one)
    elif value is not None:
        yield value


def _refers(value: object) -> bool:
    """Encrypted in place, or nothing but a reference to a variable that is."""
    if type(value).__name__ == "AnsibleVaultEncryptedUnicode":
        return True
    text = str(value).replace(" ", "")
    return text.startswith(("{{vault_", "{{lookup(")) and text.endswith("}}")


def _missing(inventory: AnsibleInventory, specifications: Specifications) -> Iterator[Fault]:
    required = [name for name, spec in specifications.items() if spec.get("required")]
    for host in inventory.hosts:
        for name in required:
            if name not in inventory.variables[host]:
                yield Fault(
                    inventory.place, name, "not set", "it has no default", "set it in group_vars"
                )


def _types(
    inventory: AnsibleInventory, specifications: Specifications, accepts: Accepts
) -> Iterator[Fault]:
    for host in inventory.hosts:
        for name, value in inventory.variables[host].items():
            if name in specifications and not accepts(name, value):
                rule = f"must be {_describe(specifications[name])}"
                shown = HIDDEN if name in SECRETS else repr(value)
                yield Fault(inventory.place_of(name, host), name, shown, rule)


def _describe(specification: Mapping[str, object]) -> str:
    choices = specification.get("choices")
    if isinstance(choices, list):
        return "one of " + ", ".join(str(choice) for choice in choices)
    kinds = {
        "bool": "true or false", "dict": "a dictionary", "int": "a whole number",
        "list": "a list", "path": "a path", "float": "a number",
    }  # fmt: skip
    return kinds.get(str(specification.get("type")), "a text")


def _networks(inventory: AnsibleInventory) -> Iterator[Fault]:
    name = "fleet_operator_networks"
    for host in inventory.hosts:
        networks = inventory.variables[host].get(name)
        if networks == []:
            rule = "must contain at least one network, or nobody can reach the web UI"
            yield Fault(inventory.place_of(name, host), name, "an empty list", rule)
        for network in networks if isinstance(networks, list) else ():
            if not _parses(ipaddress.ip_network, network):
                rule = "must be a network in CIDR notation with no host bits, such as 192.0.2.0/24"
                yield Fault(inventory.place_of(name, host), name, repr(network), rule)


def _ports(inventory: AnsibleInventory, specifications: Specifications) -> Iterator[Fault]:
    for host in inventory.groups.get("master", ()):
        variables = inventory.variables[host]
        seen: dict[int, str] = {}
        for name in PORTS:
            port = variables.get(name, specifications.get(name, {}).get("default"))
            if not isinstance(port, int | str) or not str(port).isdecimal():
                continue
            if not 1024 <= int(port) <= 65535:
                yield Fault(
                    inventory.place_of(name, host), name, str(port), "must be from 1024 to 65535"
                )
            if int(port) in seen:
                rule = f"{seen[int(port)]} already has that port"
                yield Fault(inventory.place_of(name, host), name, str(port), rule)
            seen[int(port)] = name


def _addresses(inventory: AnsibleInventory) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for host in inventory.hosts:
        variables = inventory.variables[host]
        name = next((one for one in ADDRESSES if one in variables), None)
        address = str(variables[name]) if name else host
        place = inventory.place_of(name, host) if name else inventory.place
        variable = f"{name or 'the address'} of {host}"
        if not _parses(ipaddress.ip_address, address):
            rule = "must be an IP address, because firewalls are opened for it"
            yield Fault(place, variable, repr(address), rule, "set fleet_address for that host")
        elif address in seen:
            rule = f"{seen[address]} already has that address"
            yield Fault(place, variable, address, rule, "give each host an address of its own")
        seen.setdefault(address, host)


def _parses(parse: Callable[[str], object], text: object) -> bool:
    try:
        parse(str(text))
    except ValueError:
        return False
    return True
