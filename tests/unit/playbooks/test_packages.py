"""Which packages a host lacks, and which can go again: on rpm's word and on dpkg's."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.playbooks.modules import run_beside, run_module
from tests.unit.playbooks.roles import evaluate


@pytest.fixture
def red_hat(tmp_path: Path) -> Path:
    (tmp_path / "redhat-release").write_text("Red Hat Enterprise Linux release 8.10\n")
    return tmp_path


def with_packages(state: Path, manager: str, packages: dict[str, Any]) -> None:
    (state / f"{manager}.json").write_text(json.dumps(packages))


def removable(state: Path, *names: str) -> dict[str, Any]:
    return run_beside("removable_packages", state, packages=names, etc=str(state))


def test_packages_that_came_together_go_together(red_hat: Path) -> None:
    packages = {"python3.11": {"requires": ["python3.11-libs"]}, "python3.11-libs": {}, "bash": {}}
    with_packages(red_hat, "rpm", packages)
    answer = removable(red_hat, "python3.11", "python3.11-libs", "gone-since")
    assert (answer["packages"], answer["needed"]) == (["python3.11", "python3.11-libs"], [])


def test_what_something_later_needs_stays_with_what_that_needs(red_hat: Path) -> None:
    packages = {
        "python3.11": {"provides": ["python(abi)"], "requires": ["libpython.so()(64bit)"]},
        "python3.11-libs": {"provides": ["libpython.so()(64bit)"]},
        "chrony": {},
        "site-tool": {"requires": ["python(abi)"]},
    }
    with_packages(red_hat, "rpm", packages)
    answer = removable(red_hat, "python3.11", "python3.11-libs", "chrony")
    assert answer["packages"] == ["chrony"]
    assert answer["needed"] == ["python3.11", "python3.11-libs"]


def test_the_same_on_debian(tmp_path: Path) -> None:
    with_packages(tmp_path, "dpkg", {"g++": ["gcc"], "gcc": [], "site-tool": ["gcc"], "chrony": []})
    answer = removable(tmp_path, "g++", "gcc", "chrony")
    assert (answer["packages"], answer["needed"]) == (["chrony", "g++"], ["gcc"])


def node_facts(state: Path, **given: Any) -> dict[str, Any]:
    paths = {name: str(state / name) for name in ("software", "state_directory", "records")}
    return run_beside("node_facts", state, etc=str(state), **{"packages": [], **paths, **given})


def test_a_package_is_there_under_another_name_that_provides_it(red_hat: Path) -> None:
    with_packages(red_hat, "rpm", {"python3": {"provides": ["python3.12"]}, "chrony": {}})
    answer = node_facts(red_hat, packages=["python3.12", "gcc-c++", "chrony"])
    assert answer["missing"] == ["gcc-c++"]


def test_the_same_question_on_debian(tmp_path: Path) -> None:
    with_packages(tmp_path, "dpkg", {"chrony": []})
    assert node_facts(tmp_path, packages=["g++", "chrony"])["missing"] == ["g++"]


@pytest.mark.parametrize(
    ("manager", "file"), [("rpm", "redhat-release"), ("dpkg", "debian_version")]
)
def test_what_comes_with_the_packages_is_told_from_what_was_there(
    tmp_path: Path, manager: str, file: str
) -> None:
    (tmp_path / file).write_text("")
    with_packages(tmp_path, manager, {"chrony": {}, "bash": {}})
    assert node_facts(tmp_path, packages=["chrony"])["present"] == []
    before = node_facts(tmp_path, packages=["gcc-c++"])
    assert before["present"] == ["bash", "chrony"]
    after = ["installed bash", "installed gcc-c++", "installed gcc", "config-files old"]
    came = evaluate("_packages_came", __preflight=before, __packages_now={"stdout_lines": after})
    assert came == ["gcc", "gcc-c++"]


def test_what_made_room_for_the_packages_is_noted_for_teardown() -> None:
    effects = evaluate(
        "_packages_effects",
        __preflight={"present": ["bash", "systemd-timesyncd"]},
        __packages_now={"stdout_lines": ["installed bash", "installed chrony"]},
    )
    assert effects == ["packages/chrony", "replaced/systemd-timesyncd"]


def run(state: Path, *units: str) -> None:
    (state / "systemctl.json").write_text(json.dumps({"active": dict.fromkeys(units, 1)}))
    for name in ("units", "wants"):
        (state / name).mkdir(exist_ok=True)


def test_firewalls_that_the_kit_does_not_speak_to_are_named(tmp_path: Path) -> None:
    run(tmp_path, "iptables.service")
    (tmp_path / "ufw").mkdir()
    (tmp_path / "ufw/ufw.conf").write_text("ENABLED=yes\nLOGLEVEL=low\n")
    answer = node_facts(tmp_path)
    assert answer["rival_firewalls"] == ["iptables.service", "ufw.service"]
    assert not answer["firewalld"]
    (tmp_path / "ufw/ufw.conf").write_text("ENABLED=no\n")
    run(tmp_path, "firewalld.service")
    answer = node_facts(tmp_path)
    assert (answer["rival_firewalls"], answer["firewalld"]) == ([], True)


def test_fapolicyd_is_named_until_a_rule_or_a_trust_file_names_the_software(tmp_path: Path) -> None:
    assert not node_facts(tmp_path)["fapolicyd"]
    run(tmp_path, "fapolicyd.service")
    assert node_facts(tmp_path)["fapolicyd"]
    rules = tmp_path / "fapolicyd" / "rules.d"
    rules.mkdir(parents=True)
    (rules / "30-loadgen.rules").write_text(f"allow perm=any all : dir={tmp_path}/software/\n")
    assert not node_facts(tmp_path)["fapolicyd"]


def test_a_service_that_somebody_masked_before_is_told_from_others(tmp_path: Path) -> None:
    units = tmp_path / "systemd" / "system"
    units.mkdir(parents=True)
    (units / "prometheus.service").symlink_to("/dev/null")
    given = ["prometheus.service", "grafana-server.service"]
    assert node_facts(tmp_path, units=given)["masked"] == ["prometheus.service"]


def test_a_release_that_the_runs_could_not_enter_counts_as_not_there(tmp_path: Path) -> None:
    """An earlier kit, deployed under umask 027, left it closed: it has to be brought anew."""
    software = tmp_path / "software"
    (software / "releases" / "a").mkdir(parents=True)
    (software / "current").symlink_to("releases/a")
    (software / "releases" / "a").chmod(0o755)
    assert node_facts(tmp_path)["links"] == ["releases/a"]
    (software / "releases" / "a").chmod(0o700)
    assert node_facts(tmp_path)["links"] == []


@pytest.mark.parametrize("stream", ["1", "2"])
def test_a_program_is_found_and_its_version_read(tmp_path: Path, stream: str) -> None:
    found = program(tmp_path, "node_exporter, version 1.5.0 (branch: HEAD)", stream)
    assert (found["path"], found["version"]) == (str(tmp_path / "program"), "1.5.0")


def test_one_that_is_too_old_is_refused_with_what_to_do(tmp_path: Path) -> None:
    found = program(tmp_path, "node_exporter, version 1.3.1 (branch: HEAD)")
    assert found["failed"]
    assert found["msg"] == (
        f"{tmp_path}/program is version 1.3.1, and the lowest that will do is 1.5.0, which has it; "
        "take another"
    )


def test_none_is_refused_with_the_places(tmp_path: Path) -> None:
    found = run_module("program_facts", candidates=[str(tmp_path / "none")], advice="take another")
    assert found["msg"] == f"none of {tmp_path}/none is a program here; take another"


def program(directory: Path, says: str, stream: str = "1") -> dict[str, Any]:
    path = directory / "program"
    path.write_text(f"#!/bin/sh\necho '{says}' >&{stream}\n")
    path.chmod(0o755)
    return run_module(
        "program_facts",
        candidates=[str(directory / "first"), str(path)],
        minimum="1.5.0",
        reason=", which has it",
        advice="take another",
    )
