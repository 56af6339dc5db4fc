"""The playbooks' filters."""

from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.certificates import Authority
from tests.unit.playbooks.modules import load_filters

SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


@pytest.fixture(scope="module")
def filters() -> dict[str, Any]:
    return load_filters("fleet")


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


@pytest.mark.parametrize(
    ("usages", "held"),
    [([SERVER], ["serverAuth"]), ([CLIENT], ["clientAuth"]), ([SERVER, CLIENT], []), ([], [])],
)
def test_a_certificate_holds_for_its_one_usage(
    tmp_path: Path, usages: list[x509.ObjectIdentifier], held: list[str]
) -> None:
    authority = Authority(tmp_path, "ca")
    path, _ = authority.issue("host", usages)
    wanted = [{"certificate": str(path), "usage": one} for one in ("serverAuth", "clientAuth")]
    lacking = load_filters("certificates")["certificates_lacking"]
    named = ["IP:127.0.0.1"]
    found = lacking(wanted, 10, str(authority.certificate), named)
    assert [one["usage"] for one in wanted if one not in found] == held
    assert lacking(wanted, 30, str(authority.certificate), named) == wanted
