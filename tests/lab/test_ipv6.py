"""A fleet whose hosts have IPv6 addresses and no others, beside the lab's own hosts."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.fleet import LAB_HOST, PROJECT, Loadgen, await_idle, changed, make, on_host

NAMES = ("six-master", "six-worker1", "six-worker2", "six-monitor")
MONITOR = "fd77::31"
SCRAPED = """
no_proxy=127.0.0.1 python3 - <<'END'
import json, urllib.request
url = "http://127.0.0.1:9090/api/v1/query?query=up"
answer = json.load(urllib.request.urlopen(url, timeout=10))["data"]["result"]
print([[one["metric"]["instance"], one["value"][1]] for one in answer])
END
"""


def _host(name: str, last: str, image: str, *, firewalld: bool = False) -> dict[str, Any]:
    return {"name": name, "address": f"fd77::{last}", "image": image, "firewalld": firewalld}


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Both firewalls and both images among its hosts; they stop at the end."""
    inventory = tmp_path_factory.mktemp("six") / "fleet"
    hosts = {
        "lab_hosts_master": [_host("six-master", "11", "rhel")],
        "lab_hosts_workers": [
            _host("six-worker1", "21", "rhel", firewalld=True),
            _host("six-worker2", "22", "debian"),
        ],
        "lab_hosts_monitoring": [_host("six-monitor", "31", "rhel", firewalld=True)],
        "lab_hosts_inventory_directory": str(inventory),
    }
    given = inventory.with_name("hosts.json")
    given.write_text(json.dumps(hosts))
    command = ["make", "lab", "LAB_WORKERS=2", f"PLAYBOOK_OPTIONS=-e @{given}"]
    subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL, timeout=600)
    yield inventory
    subprocess.run([str(LAB_HOST), "stop", *NAMES], check=True, timeout=60)


def test_a_fleet_without_ipv4_is_deployed_runs_and_goes(fleet: Path, tmp_path: Path) -> None:
    assert on_host(MONITOR, "ip -4 -oneline address show scope global", fleet) == ""
    make("deploy", inventory=fleet)
    assert set(changed(make("deploy", inventory=fleet)).values()) == {0}
    make("verify", inventory=fleet)

    loadgen = Loadgen(tmp_path / "results", fleet)
    await_idle(loadgen)
    code, output = loadgen("run", "--users", "12", "--run-time", "6s")
    assert code == 0, output
    summary = loadgen.summary
    assert (summary["verdict"], summary["specification"]["host"]) == (
        "passed",
        "http://[fd77::31]:8000",
    )
    assert summary["workers"]["seen"] == summary["workers"]["expected"] >= 2
    assert summary["failures"] == 0
    assert summary["requests"] > 20
    assert "['[fd77::11]:9646', '1']" in on_host(MONITOR, SCRAPED, fleet)

    make("teardown", inventory=fleet)
    code, output = loadgen("status")
    assert code != 0, output
