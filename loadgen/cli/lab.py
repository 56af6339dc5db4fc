"""Verbs on the lab: real hosts for tests on this machine (root on Debian)."""

import argparse
import os
import sys
from collections.abc import Sequence

from loadgen.cli.deploy import PLAYBOOKS, become, playbook, untemplated
from loadgen.shared.project import cache_directory, own_directory

LAB_HOST = PLAYBOOKS / "roles" / "lab_hosts" / "files" / "lab-host"


def _run(name: str, options: argparse.Namespace, variable: str, value: str) -> int:
    here: Sequence[str] = ("--inventory", "localhost,", "-e")
    given = [*here, f"ansible_python_interpreter={sys.executable}", "-e", f"{variable}={value}"]
    given += ["-e", untemplated("lab_hosts_inventory_directory", own_directory() / "inventory/lab")]
    command = playbook(name, [*given, *options.passed_on])
    # Without it Ansible's two processes of a background job may use different directories as HOME.
    jobs = {"ANSIBLE_ASYNC_DIR": str(cache_directory() / "ansible-async")}
    return become(command, ANSIBLE_INVENTORY_ENABLED="host_list", **jobs)


def lab(options: argparse.Namespace) -> int:
    """Carry out `loadgen lab`."""
    return _run("lab", options, "lab_hosts_worker_count", str(options.workers))


def lab_down(options: argparse.Namespace) -> int:
    """Carry out `loadgen lab-down`."""
    return _run("lab-down", options, "lab_purge", str(options.purge).lower())


def lab_host(options: argparse.Namespace) -> int:
    """Carry out `loadgen lab-host`."""
    os.execv(LAB_HOST, [str(LAB_HOST), *options.words])  # noqa: S606 - the kit's own program
