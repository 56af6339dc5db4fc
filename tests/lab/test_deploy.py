"""Deploy, deploy again, rotate, tear down: on real hosts of the lab (`make lab` first).

The listing is of everything that a deploy could leave: files outside the package manager's, users,
units, listening ports, firewall rules and kernel settings.
"""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
INVENTORY = PROJECT / "inventory" / "lab"
RHEL_LIKE, DEBIAN = "10.77.0.11", "10.77.0.23"
# chrony stays with its own configuration; compilers stay as packages do. Everything else must go.
PACKAGES = re.compile(
    r"/usr/(lib|share|bin|include|sbin|src)/|chrony|/var/lib/ucf|/etc/(gprofng|dhcp|ppp|network|apparmor)"
)
RUN = '{"run_id": "r", "locustfiles": ["locustfiles/hello.py"]}'
LISTING = r"""
find /etc /opt /srv /run/loadgen /var/lib -xdev -regextype posix-extended \
  -regex '/var/lib/(dpkg|apt|rpm|dnf|systemd)' -prune -o -printf '%M %u %g %p %l\n' | sort
getent passwd | grep -v _chrony | sort
systemctl list-unit-files --no-legend | sort
ss --tcp --listening --numeric --no-header | awk '{print $4}' | sort
nft list ruleset
firewall-cmd --list-all-policies 2>/dev/null
sysctl --all | grep -E '^net\.(core|ipv4)\.' | grep -v -E 'random|inode|nr_|netdev' | sort
"""


def make(verb: str, options: str = "") -> tuple[float, str]:
    """Run a verb; return its seconds and output, and show the output when it fails."""
    began = time.monotonic()
    finished = subprocess.run(
        ["make", verb, "INVENTORY=inventory/lab", f"PLAYBOOK_OPTIONS={options}"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert finished.returncode == 0, finished.stdout[-4000:] + finished.stderr
    return time.monotonic() - began, finished.stdout


def on_host(address: str, script: str) -> str:
    """Run a script as root on a lab host."""
    keys = INVENTORY / ".ssh"
    command = [
        "ssh",
        "-i",
        str(keys / "id_ed25519"),
        "-o",
        f"UserKnownHostsFile={keys / 'known_hosts'}",
    ]
    finished = subprocess.run(
        [*command, "-o", "LogLevel=ERROR", f"deploy@{address}", "sudo", "bash", "-s"],
        input=script,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return finished.stdout


def listing(address: str) -> list[str]:
    return [line for line in on_host(address, LISTING).splitlines() if not PACKAGES.search(line)]


def changed(output: str) -> dict[str, int]:
    """Return the number of changes by host from Ansible's recap."""
    return {
        host: int(count)
        for host, count in re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", output, re.M)
    }


@pytest.fixture
def bare_hosts() -> Iterator[None]:
    make("teardown")
    yield
    make("teardown")


@pytest.mark.usefixtures("bare_hosts")
def test_a_fleet_is_deployed_kept_and_given_back() -> None:
    before = {address: listing(address) for address in (RHEL_LIKE, DEBIAN)}
    first, _ = make("deploy")
    second, output = make("deploy")
    print(f"first deploy {first:.0f} s, second {second:.0f} s")
    assert set(changed(output).values()) == {0}
    assert second < first / 3
    make("teardown")
    assert {address: listing(address) for address in before} == before
    _, output = make("teardown")
    assert set(changed(output).values()) == {0}


@pytest.mark.usefixtures("bare_hosts")
def test_rotation_gives_every_node_new_keys_and_loses_none() -> None:
    make("deploy")
    keys = INVENTORY / ".secrets" / "channel"
    before = {path.name: path.read_text() for path in keys.glob("*.key")}
    make("rotate")
    after = {path.name: path.read_text() for path in keys.glob("*.key")}
    assert set(after) == set(before)
    assert all(after[name] != before[name] for name in before)
    make("verify")


@pytest.mark.usefixtures("bare_hosts")
def test_a_deploy_restarts_nothing_while_a_run_is_under_way_and_rotation_is_refused() -> None:
    make("deploy")
    asked = "systemctl show --property=MainPID --value loadgen-master loadgen-exporter"
    before = on_host(RHEL_LIKE, asked)
    on_host(
        RHEL_LIKE,
        f"echo '{RUN}' > /run/loadgen/run.json",
    )
    try:
        make("deploy", "-e node_log_level=WARNING")
        assert on_host(RHEL_LIKE, asked) == before
        with pytest.raises(AssertionError, match="A run is under way"):
            make("rotate")
    finally:
        on_host(RHEL_LIKE, "rm /run/loadgen/run.json")
    make("deploy", "-e node_log_level=WARNING")
    assert on_host(RHEL_LIKE, asked) != before


@pytest.mark.parametrize("verb", ["deploy", "verify", "rotate", "teardown-workers", "teardown"])
def test_a_verb_without_inventory_touches_nothing_and_names_the_choices(verb: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "INVENTORY"}
    finished = subprocess.run(
        ["make", verb],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment,
    )
    assert finished.returncode == 2
    assert "nothing was touched" in finished.stderr
    assert "inventory/lab" in finished.stderr
