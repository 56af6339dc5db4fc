"""What holds for every task of the roles, since RHEL 8 differs from the machine that wrote it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.playbooks.modules import PLAYBOOKS
from tests.unit.playbooks.roles import ROLES, evaluate

LAB = {"lab_hosts", "lab_images"}
PAGES = [
    path
    for path in [*PLAYBOOKS.glob("*.yml"), *ROLES.glob("*/tasks/*.yml")]
    if path.parts[-3] not in LAB
]
NEEDS_MORE_THAN_MINIMAL = {
    "ansible.builtin.unarchive": "a minimal RHEL has no tar: use unpack",
    "community.general.seport": "its bindings are not there: use selinux_ports",
    "ansible.posix.firewalld": "it reloads, or needs bindings: use firewalld_policy",
    "ansible.posix.selinux": "its bindings are not there",
    "ansible.posix.synchronize": "a minimal RHEL has no rsync",
    "ansible.builtin.pip": "it leaves what the umask closes: use _fleet_readable",
    "ansible.builtin.iptables": "firewalld and nftables are what the kit speaks to",
}


def tasks(content: Any) -> Iterator[dict[str, Any]]:
    """Yield every task of a page, those inside blocks and plays too."""
    for one in content or []:
        inner = [key for key in ("tasks", "block", "rescue", "always") if key in one]
        if inner:
            for key in inner:
                yield from tasks(one[key])
        else:
            yield one


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(PLAYBOOKS)))
def test_a_task_needs_nothing_that_a_minimal_rhel_lacks(page: Path) -> None:
    for task in tasks(yaml.safe_load(page.read_text())):
        for name, reason in NEEDS_MORE_THAN_MINIMAL.items():
            assert name not in task, f"{task['name']}: {reason}"
        if "ansible.builtin.uri" in task:
            asked = task["ansible.builtin.uri"]
            assert asked["use_proxy"] is False, f"{task['name']} would ask a proxy of the site"


def test_the_packages_are_installed_on_all_hosts_at_once() -> None:
    """It takes longest by far: a second play with it would double a deploy's time."""
    assert [hosts for hosts, names in plays().items() if {"release", "host"} <= set(names)] == [
        "master:workers:targets"
    ]


def test_targets_let_workers_in_before_one_joins_a_run() -> None:
    names = plays()["master:workers:targets"]
    assert names.index("firewall") < names.index("target") < names.index("node")


def plays() -> dict[str, list[str]]:
    """Return the roles of deploy's plays in their order, by the hosts that take them."""
    return {
        play["hosts"]: [one["ansible.builtin.import_role"]["name"] for one in play["tasks"]]
        for play in yaml.safe_load((PLAYBOOKS / "deploy.yml").read_text())
        if "tasks" in play
    }


@pytest.mark.parametrize("page", sorted((ROLES / "release/tasks").glob("*.yml")))
def test_what_is_run_on_a_host_leaves_readable_files_whatever_its_umask_is(page: Path) -> None:
    for task in tasks(yaml.safe_load(page.read_text())):
        command = task.get("ansible.builtin.command")
        if command and "delegate_to" not in task and "loop" not in task:
            assert "_fleet_readable" in command["argv"], task["name"]


def test_a_virtual_environment_made_under_a_strict_umask_is_readable(tmp_path: Path) -> None:
    command = [*evaluate("_fleet_readable"), sys.executable, "-m", "venv", "--without-pip", "made"]
    before = os.umask(0o077)
    try:
        subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    finally:
        os.umask(before)
    for path in (tmp_path / "made", tmp_path / "made/bin", tmp_path / "made/pyvenv.cfg"):
        assert path.stat().st_mode & 0o044 == 0o044, path
