"""Other fleets beside the lab's own: with IPv6 addresses and no others, and of Debian 13."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab.fleet import LAB_HOST, PROJECT, Loadgen, await_idle, changed, make, on_host

SCRAPED = """
no_proxy=127.0.0.1 python3 - <<'END'
import json, urllib.request
url = "http://127.0.0.1:9090/api/v1/query?query=up"
answer = json.load(urllib.request.urlopen(url, timeout=10))["data"]["result"]
print([[one["metric"]["instance"], one["value"][1]] for one in answer])
END
"""


@dataclass(frozen=True)
class Fleet:
    """One fleet of the lab: its hosts are NAME-master, NAME-worker1, … and NAME-monitor."""

    name: str
    network: str
    images: tuple[str, str, str, str]
    """Of master, two workers and monitor."""
    shows: str
    """What stands in the monitor's answer to SHOW."""
    variables: tuple[tuple[str, str], ...] = ()

    def host(self, role: str, last: str, image: str) -> dict[str, Any]:
        """Return a host as the role lab_hosts takes it."""
        return {
            "name": f"{self.name}-{role}",
            "address": f"{self.network}{last}",
            "image": image,
            "firewalld": image == "rhel" and role in ("worker2", "monitor"),
        }

    @property
    def hosts(self) -> dict[str, list[dict[str, Any]]]:
        """Its hosts by group, as variables of the role lab_hosts."""
        master, first, second, monitor = self.images
        return {
            "lab_hosts_master": [self.host("master", "51", master)],
            "lab_hosts_workers": [
                self.host("worker1", "61", first),
                self.host("worker2", "62", second),
            ],
            "lab_hosts_monitoring": [self.host("monitor", "71", monitor)],
        }

    def url(self, last: str, port: int) -> str:
        """Return an address and a port as they stand in a URL."""
        address = f"{self.network}{last}"
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


IPV6 = Fleet("six", "fd77::", ("rhel", "debian", "rhel", "rhel"), "inet6 fd77::71/64")
DEBIAN_13 = Fleet(
    "d13", "10.77.0.", ("debian13",) * 4, "trixie", (("lab_hosts_image", "debian13"),)
)
SHOW = "ip -oneline address show scope global; . /etc/os-release; echo $VERSION_CODENAME"


@pytest.fixture(params=[IPV6, DEBIAN_13], ids=["ipv6", "debian13"])
def fleet(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Fleet, Path]]:
    """The fleet and its inventory; its hosts run until the end of the test."""
    chosen: Fleet = request.param
    inventory = tmp_path / "fleet"
    given = tmp_path / "hosts.json"
    given.write_text(
        json.dumps(
            {
                **chosen.hosts,
                **dict(chosen.variables),
                "lab_hosts_inventory_directory": str(inventory),
            }
        )
    )
    command = ["make", "lab", "LAB_WORKERS=2", f"PLAYBOOK_OPTIONS=-e @{given}"]
    subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL, timeout=600)
    yield chosen, inventory
    names = [host["name"] for group in chosen.hosts.values() for host in group]
    subprocess.run([str(LAB_HOST), "stop", *names], check=True, timeout=60)


def test_another_fleet_is_deployed_runs_and_goes(fleet: tuple[Fleet, Path], tmp_path: Path) -> None:
    chosen, inventory = fleet
    monitor = f"{chosen.network}71"
    is_there = on_host(monitor, SHOW, inventory)
    assert chosen.shows in is_there
    assert ("inet " in is_there) == (chosen is not IPV6)
    make("deploy", inventory=inventory)
    assert set(changed(make("deploy", inventory=inventory)).values()) == {0}
    make("verify", inventory=inventory)

    loadgen = Loadgen(tmp_path / "results", inventory)
    await_idle(loadgen)
    code, output = loadgen("run", "--users", "12", "--run-time", "6s")
    assert code == 0, output
    summary = loadgen.summary
    assert summary["verdict"] == "passed"
    assert summary["specification"]["host"] == f"http://{chosen.url('71', 8000)}"
    assert summary["workers"]["seen"] == summary["workers"]["expected"] >= 2
    assert summary["failures"] == 0
    assert summary["requests"] > 20
    exporter = chosen.url("51", 9646)
    assert f"['{exporter}', '1']" in on_host(monitor, SCRAPED, inventory)

    make("teardown", inventory=inventory)
    code, output = loadgen("status")
    assert code != 0, output
