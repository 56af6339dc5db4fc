from dataclasses import replace

from loadgen.deploy.inventory_rules import AnsibleInventory, Definition, check

SPECIFICATIONS: dict[str, dict[str, object]] = {
    "fleet_operator_networks": {"type": "list", "required": True},
    "fleet_web_port": {"type": "int", "default": 8089},
    "fleet_channel_port": {"type": "int", "default": 5557},
    "fleet_address": {"type": "str"},
    "credentials_web_users": {"type": "dict"},
}
NETWORKS = {"fleet_operator_networks": ["192.0.2.0/24"]}
GOOD = AnsibleInventory(
    place="inventory/x",
    groups={"master": ["m"], "workers": ["w1", "w2"], "monitoring": []},
    variables={
        "m": {"ansible_host": "192.0.2.1", **NETWORKS},
        "w1": {"ansible_host": "192.0.2.2", **NETWORKS},
        "w2": {"ansible_host": "192.0.2.3", **NETWORKS},
    },
    definitions=[],
)


def faults(inventory: AnsibleInventory, accepts: bool = True) -> list[str]:
    return [str(fault) for fault in check(inventory, SPECIFICATIONS, lambda *_: accepts)]


def with_variable(name: str, value: object, place: str = "vars.yml:3") -> AnsibleInventory:
    variables = {host: {**one, name: value} for host, one in GOOD.variables.items()}
    definition = Definition(name, value, "all", place)
    return replace(GOOD, variables=variables, definitions=[definition])


def test_a_good_inventory_has_no_fault() -> None:
    assert faults(GOOD) == []


def test_an_empty_group_is_named_and_a_near_name_offered() -> None:
    groups = {"master": ["m"], "worker": ["w1"]}
    assert faults(replace(GOOD, groups=groups)) == [
        "inventory/x: group workers is empty, and must contain at least one host; "
        "rename group worker to workers"
    ]


def test_two_masters_are_one_too_many() -> None:
    found = faults(replace(GOOD, groups={"master": ["m", "w2"], "workers": ["w1"]}))
    assert found == [
        "inventory/x: group master is m, w2, and must contain exactly one host; put the hosts there"
    ]


def test_a_master_is_no_worker() -> None:
    assert (
        "must not contain the master"
        in faults(replace(GOOD, groups={"master": ["m"], "workers": ["m", "w1"]}))[0]
    )


def test_an_unknown_variable_is_named_with_place_and_nearest_known() -> None:
    assert faults(with_variable("fleet_web_prt", 80)) == [
        "vars.yml:3: fleet_web_prt is 80, and no role has a variable of this name; "
        "did you mean fleet_web_port?"
    ]


def test_a_sites_own_variables_pass() -> None:
    assert faults(with_variable("site_rack", 4)) == []


def test_a_password_in_clear_is_refused_and_not_repeated() -> None:
    found = faults(with_variable("ansible_become_password", "hunter2"))
    assert len(found) == 1
    assert "must come from Vault" in found[0]
    assert "hunter2" not in found[0]


def test_a_reference_to_vault_passes() -> None:
    assert faults(with_variable("credentials_web_users", {"anna": "{{ vault_anna }}"})) == []


def test_a_vault_variable_must_be_encrypted() -> None:
    assert "must come from Vault" in faults(with_variable("vault_anna", "hunter2"))[0]
    encrypted = Definition("vault_anna", "hunter2", "all", "vault.yml:1", vaulted=True)
    assert faults(replace(GOOD, definitions=[encrypted])) == []


def test_a_missing_required_variable_is_named() -> None:
    variables = {**GOOD.variables, "m": {"ansible_host": "192.0.2.1"}}
    assert "fleet_operator_networks is not set" in faults(replace(GOOD, variables=variables))[0]


def test_a_value_of_another_type_is_named() -> None:
    found = faults(with_variable("fleet_web_port", "many"), accepts=False)
    assert (
        "vars.yml:3: fleet_web_port is 'many', and must be a whole number; correct it there"
        in found
    )


def test_host_bits_in_a_network_are_refused() -> None:
    assert "CIDR" in faults(with_variable("fleet_operator_networks", ["192.0.2.9/24"]))[0]
    assert "an empty list" in faults(with_variable("fleet_operator_networks", []))[0]


def test_a_port_is_given_out_once_and_within_bounds() -> None:
    assert (
        "fleet_web_port already has that port"
        in faults(with_variable("fleet_channel_port", 8089))[0]
    )
    assert "from 1024 to 65535" in faults(with_variable("fleet_web_port", 443))[0]


def test_an_address_is_given_out_once() -> None:
    variables = {**GOOD.variables, "w2": {"ansible_host": "192.0.2.2", **NETWORKS}}
    assert faults(replace(GOOD, variables=variables)) == [
        "inventory/x: ansible_host of w2 is 192.0.2.2, and w1 already has that address; "
        "give each host an address of its own"
    ]


def test_a_name_is_no_address() -> None:
    variables = {**GOOD.variables, "w2": {"ansible_host": "w2.example.com", **NETWORKS}}
    assert "set fleet_address for that host" in faults(replace(GOOD, variables=variables))[0]
