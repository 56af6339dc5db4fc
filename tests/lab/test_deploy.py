"""Deploy, deploy again, tear down during a run: on real hosts of the lab.

The listing is of everything that a deploy could leave: files outside the package manager's, users,
units, listening ports, firewall rules and kernel settings.
"""

import json
import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from tests.lab.fleet import (
    INVENTORY,
    PROJECT,
    Loadgen,
    await_idle,
    changed,
    flat,
    make,
    on_host,
    read_until,
)
from tests.lab.web import Browser

HOSTS = ("master1", "worker3", "monitor1")  # RHEL-like, and Debian
# chrony stays with its own configuration; compilers stay as packages do. Everything else must go.
PACKAGES = re.compile(
    r"/usr/(lib|share|bin|include|sbin|src)/|chrony|/var/lib/ucf|/etc/(gprofng|dhcp|ppp|network|apparmor)"
)
LISTING = r"""
find /etc /opt /srv /run/loadgen /var/lib -xdev -regextype posix-extended \
  -regex '/var/lib/(dpkg|apt|rpm|dnf|systemd)' -prune -o -printf '%M %u %g %p %l\n' | sort
getent passwd | grep -v _chrony | sort
systemctl list-unit-files --no-legend | sort
ss --tcp --listening --numeric --no-header | awk '{print $4}' | sort
nft list ruleset
firewall-cmd --list-all-policies 2>/dev/null || true
sysctl --all | grep -E '^net\.(core|ipv4)\.' | grep -v -E 'random|inode|nr_|netdev' | sort
"""


def listings() -> dict[str, list[str]]:
    found = {host: on_host(host, LISTING.replace("find ", "set +e; find ", 1)) for host in HOSTS}
    return {
        host: [line for line in text.splitlines() if not PACKAGES.search(line)]
        for host, text in found.items()
    }


def timed_deploy() -> tuple[float, str]:
    began = time.monotonic()
    output = make("deploy")
    return time.monotonic() - began, output


def test_a_fleet_is_deployed_kept_and_given_back_during_a_run(tmp_path: Path) -> None:
    make("teardown")
    before = listings()
    first, _ = timed_deploy()
    second, output = timed_deploy()
    print(f"first deploy {first:.0f} s, second {second:.0f} s")
    assert set(changed(output).values()) == {0}, output[-6000:]

    loadgen = Loadgen(tmp_path / "results")
    running = loadgen.start("run", "--run-time", "5m")
    read_until(running, "Loading http")
    make("teardown")
    rest, _ = running.communicate(timeout=60)
    assert running.returncode == 130, rest
    assert "stopped by loadgen stop after" in rest
    summary = loadgen.summary
    assert summary["requests"] > 0
    assert summary["workers"]["lost"] == 0
    logs = {path.parent.name for path in loadgen.directory.glob("hosts/*/*.log")}
    assert logs == {"master1", "worker1", "worker2", "worker3"}

    assert listings() == before
    assert set(changed(make("teardown")).values()) == {0}


def test_a_test_from_the_web_ui_is_not_disturbed_by_deploy_and_collected_by_stop(
    loadgen: Loadgen,
) -> None:
    asked = "systemctl show --property=MainPID --value loadgen-master loadgen-exporter"
    before = on_host("master1", asked)
    browser = Browser()
    assert browser.log_in() == "/"
    browser.ask("/swarm", user_count=6, spawn_rate=6, host="http://10.77.0.31:8000")
    output = flat(make("deploy", options="-e node_log_level=WARNING"))
    assert "will use the new configuration after the run" in output
    assert on_host("master1", asked) == before
    assert json.loads(browser.ask("/stats/requests")[1])["state"] == "running"
    assert "A run is under way" in make("rotate", code=2)

    code, said = loadgen("stop")
    assert code == 0, said
    assert re.search(r"web-\S+ was stopped, and its results were collected: [1-9]", said), said
    make("deploy")
    await_idle(loadgen)


def test_a_second_deploy_at_once_names_the_first(deployed: None) -> None:  # noqa: ARG001
    holding = (
        "import os, pathlib, sys; from loadgen.deploy.inventory_lock import hold; "
        "hold(pathlib.Path(sys.argv[1])); os.execvp('cat', ['cat'])"
    )
    with subprocess.Popen(
        [str(PROJECT / ".venv/bin/python"), "-c", holding, str(INVENTORY)],
        cwd=PROJECT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as first:
        assert first.stdin
        assert first.stdout
        first.stdin.write(b"held\n")
        first.stdin.flush()
        first.stdout.readline()
        for verb in ("deploy", "teardown"):
            assert f"process {first.pid} since " in make(verb, code=2)


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
    assert "nothing was changed" in finished.stderr
    assert "inventory/lab" in finished.stderr
