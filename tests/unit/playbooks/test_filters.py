"""The playbooks' filters."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

FILTERS = Path(__file__).parents[3] / "playbooks" / "filter_plugins" / "fleet.py"


@pytest.fixture(scope="module")
def filters() -> dict[str, Any]:
    specification = importlib.util.spec_from_file_location("fleet_filters", FILTERS)
    assert specification
    assert specification.loader
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    found: dict[str, Any] = module.FilterModule().filters()
    return found


def test_the_fleets_address_of_a_host_is_the_nearest_that_is_given(filters: dict[str, Any]) -> None:
    hostvars = {
        "a": {"fleet_address": "10.0.0.1", "ansible_host": "192.0.2.1"},
        "b": {"ansible_host": "192.0.2.2"},
        "c": {"ansible_ssh_host": "192.0.2.3"},
        "d": {},
    }
    found = [filters["fleet_address"](host, hostvars) for host in hostvars]
    assert found == ["10.0.0.1", "192.0.2.2", "192.0.2.3", "d"]


def test_an_ipv6_address_stands_in_brackets_in_a_url(filters: dict[str, Any]) -> None:
    assert filters["in_url"]("2001:db8::1") == "[2001:db8::1]"
    assert filters["in_url"]("192.0.2.1") == "192.0.2.1"
