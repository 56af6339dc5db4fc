"""Rebuilds of RHEL and what Ansible makes of their os-release: family, interpreter, packages."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.executor.interpreter_discovery import discover_interpreter
from ansible.module_utils import distro
from ansible.module_utils.facts.system import distribution as facts

from tests.unit.playbooks.modules import PLAYBOOKS
from tests.unit.playbooks.roles import PREFLIGHT, RHEL, evaluate

RED_HATS = {
    "rhel": ("Red Hat Enterprise Linux", "redhat-release", "Red Hat Enterprise Linux release {}"),
    "rocky": ("Rocky Linux", "redhat-release", "Rocky Linux release {} (Green Obsidian)"),
    "almalinux": ("AlmaLinux", "redhat-release", "AlmaLinux release {} (Cerulean Leopard)"),
    "centos": ("CentOS Stream", "centos-release", "CentOS Stream release {}"),
    "ol": ("Oracle Linux Server", "oracle-release", "Oracle Linux Server release {}"),
}
RELEASES = [(name, version) for name in RED_HATS for version in ("8.10", "9.4", "10.0")]
FALLBACK = yaml.safe_load((PLAYBOOKS / "group_vars/all.yml").read_text())
PLATFORM = "/usr/libexec/platform-python"


def os_release(name: str, version: str) -> str:
    # CentOS Stream has no minor versions.
    shown = version.split(".", maxsplit=1)[0] if name == "centos" else version
    return (
        f'NAME="{RED_HATS[name][0]}"\nVERSION="{shown}"\nID="{name}"\nID_LIKE="rhel fedora"\n'
        f'VERSION_ID="{shown}"\n'
    )


class Connection:
    has_pipelining = True


class Host:
    """What discovery asks a host: which programs there are, then its os-release."""

    _connection = Connection()

    def __init__(self, programs: list[str], release: str) -> None:
        self.programs, self.release = programs, release
        self._discovery_warnings: list[str] = []

    def _low_level_execute_command(self, command: str, **given: Any) -> dict[str, str]:
        if "in_data" in given:
            answer = {"platform_dist_result": [], "osrelease_content": self.release}
            return {"stdout": json.dumps(answer)}
        asked = re.findall(r"command -v '([^']+)'", command)
        names = [Path(one).name if "/" not in one else one for one in asked]
        found = [p for one in names for p in self.programs if p in (one, f"/usr/bin/{one}")]
        return {"stdout": "\n".join(["PLATFORM", "Linux", "FOUND", *found, "ENDFOUND"])}


@pytest.mark.parametrize("name", RED_HATS)
def test_el_8_keeps_its_platform_python_after_a_deploy_brought_another(name: str) -> None:
    host = Host(["/usr/bin/python3.11", PLATFORM], os_release(name, "8.10"))
    variables = {"inventory_hostname": "h", **FALLBACK}
    found = discover_interpreter(host, "python", "auto_silent", variables)
    assert found == PLATFORM


@pytest.mark.parametrize(("name", "version"), RELEASES)
def test_a_rebuild_is_of_red_hats_family_and_supported(
    name: str, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = distribution_facts(tmp_path, monkeypatch, name, version)
    assert found["os_family"] == "RedHat"
    major = found["distribution_major_version"]
    assert major == version.split(".", maxsplit=1)[0]
    assert major in evaluate("_preflight_releases", ansible_facts=found)


def distribution_facts(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str, version: str
) -> dict[str, Any]:
    """Return what Ansible's own code learns from a host's files below `root`."""
    (root / "etc").mkdir()
    (root / "etc/os-release").write_text(os_release(name, version))
    _, file, text = RED_HATS[name]
    for other in {file, "redhat-release", "system-release"}:
        (root / "etc" / other).write_text(text.format(version) + "\n")
    host = distro.LinuxDistribution(
        include_lsb=False,
        include_uname=False,
        os_release_file=str(root / "etc/os-release"),
        distro_release_file=str(root / "etc" / file),
    )
    for one in ("id", "version", "codename", "os_release_info", "lsb_release_info"):
        monkeypatch.setattr(distro, one, getattr(host, one))
    there, read = facts._file_exists, facts.get_file_content
    monkeypatch.setattr(
        facts, "_file_exists", lambda path, allow_empty=False: there(f"{root}{path}", allow_empty)
    )
    monkeypatch.setattr(facts, "get_file_content", lambda path, *_: read(f"{root}{path}"))
    monkeypatch.setattr(facts.platform, "system", lambda: "Linux")
    found: dict[str, Any] = facts.Distribution(module=None).get_distribution_facts()
    return found


DEBIAN = {"distribution": "Debian", "os_family": "Debian", "distribution_major_version": "12"}
UBUNTU = {"distribution": "Ubuntu", "os_family": "Debian", "distribution_major_version": "24"}


@pytest.mark.parametrize(
    ("given", "supported"),
    [
        (DEBIAN, True),
        ({**DEBIAN, "distribution_major_version": "13"}, True),
        ({**DEBIAN, "distribution_major_version": "11"}, False),
        (UBUNTU, True),
        ({**UBUNTU, "distribution_major_version": "22"}, False),
        ({**RHEL, "distribution_major_version": "7"}, False),
        ({"distribution": "Alpine", "os_family": "Alpine"}, False),
    ],
)
def test_other_systems_are_taken_or_refused_by_name_and_version(
    given: dict[str, str], supported: bool
) -> None:
    releases = evaluate("_preflight_releases", ansible_facts=given)
    assert (given.get("distribution_major_version") in releases) is supported


EVERYTHING = {
    "grafana_source": "package",
    "node_exporter_source": "package",
    "prometheus_source": "package",
}


@pytest.mark.parametrize(
    ("host", "given", "packages"),
    [
        ("monitor1", RHEL, ["golang-github-prometheus", "grafana", "nftables"]),
        ("monitor1", DEBIAN, ["prometheus", "grafana", "nftables"]),
        ("worker1", RHEL, ["golang-github-prometheus-node-exporter", "nftables"]),
        ("worker1", DEBIAN, ["prometheus-node-exporter", "nftables"]),
        (
            "master1",
            RHEL,
            ["policycoreutils-python-utils", "nftables", "gcc-c++", "python3.11-pip"],
        ),
        ("target1", RHEL, ["nftables", "python3.11-devel", "chrony"]),
    ],
)
def test_packages_have_their_distributions_names(
    host: str, given: dict[str, Any], packages: list[str]
) -> None:
    found = evaluate("_fleet_packages", host, ansible_facts=given, **EVERYTHING)
    assert set(packages) <= set(found)
    if host == "monitor1":
        assert set(packages) == set(found)


@pytest.mark.parametrize(
    ("role", "paths"),
    [
        # AppStream's Grafana 9.2.10 has no bin below its home; the vendor's packages have.
        ("grafana", ["/usr/sbin/grafana-server", "/usr/share/grafana/bin/grafana"]),
        ("node_exporter", ["/usr/bin/node_exporter", "/usr/bin/prometheus-node-exporter"]),
        ("prometheus", ["/usr/bin/prometheus"]),
    ],
)
def test_a_program_is_looked_for_where_each_distribution_has_it(
    role: str, paths: list[str]
) -> None:
    assert set(paths) <= set(evaluate(f"_{role}_candidates", **EVERYTHING))


@pytest.mark.parametrize("role", ["grafana", "node_exporter", "prometheus"])
def test_an_archives_program_is_looked_for_where_it_is_unpacked(role: str) -> None:
    found = evaluate(f"_{role}_candidates", **{f"{role}_source": "archive"})
    place = evaluate("_archive_directory", archive_name=role)
    assert all(path.startswith(f"{place}/") for path in found), found


@pytest.mark.parametrize(
    ("role", "minimum"), [("node_exporter", "1.5.0"), ("prometheus", "2.26.0"), ("grafana", "")]
)
def test_a_program_is_asked_for_by_the_version_that_the_kit_needs(role: str, minimum: str) -> None:
    page = PLAYBOOKS / "roles" / role / "tasks/install.yml"
    asked = [
        one["program_facts"] for one in yaml.safe_load(page.read_text()) if "program_facts" in one
    ]
    assert [one.get("minimum", "") for one in asked] == [minimum]


def test_rhel_10_calls_its_own_python_without_a_version() -> None:
    ten = {**RHEL, "distribution_major_version": "10"}
    found = evaluate("_fleet_packages", ansible_facts=ten, fleet_python_version="3.12")
    assert {"python3", "python3-pip", "python3-devel"} <= set(found)


def test_nothing_is_asked_for_that_the_host_does_not_use() -> None:
    assert evaluate("_fleet_packages", "worker1", prometheus_source="package") == [
        "python3.11",
        "python3.11-pip",
        "python3.11-devel",
        "gcc-c++",
        "chrony",
    ]
    plain = {**RHEL, "selinux": {"status": "disabled"}}
    assert "policycoreutils-python-utils" not in evaluate("_fleet_packages", ansible_facts=plain)
    assert "nftables" not in evaluate("_fleet_packages", firewall_backend="none")


@pytest.mark.parametrize(
    ("firewalld", "backend", "chosen"),
    [
        (True, "auto", "firewalld"),
        (False, "auto", "nftables"),
        (True, "nftables", "nftables"),
        (False, "none", "none"),
    ],
)
def test_nftables_is_installed_where_it_is_chosen(
    firewalld: bool, backend: str, chosen: str
) -> None:
    there = {**PREFLIGHT, "firewalld": firewalld, "missing": ["nftables", "chrony"]}
    given: dict[str, Any] = {"__preflight": there, "firewall_backend": backend}
    assert evaluate("_fleet_firewall", **given) == chosen
    missing = evaluate("_fleet_packages_missing", **given)
    assert sorted(missing) == (["chrony", "nftables"] if chosen == "nftables" else ["chrony"])


def test_grafana_and_the_node_exporter_are_let_in_for_those_who_need_them() -> None:
    def openings(host: str, **given: Any) -> dict[int, list[str]]:
        found = evaluate("_fleet_openings", host, **given)
        return {one["port"]: one["sources"] for one in found}

    assert openings("monitor1", grafana_source="none") == {}
    assert openings("monitor1", grafana_source="package") == {3000: ["192.0.2.0/24"]}
    assert openings("monitor1", prometheus_listen_address="192.0.2.9") == {9090: ["192.0.2.0/24"]}
    assert openings("worker1", node_exporter_source="package") == {9100: ["monitor1"]}
    assert openings("worker1") == {}
    assert openings("target1")[8000] == ["192.0.2.0/24", "worker1"]
