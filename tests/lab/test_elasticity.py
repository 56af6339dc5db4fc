"""Worker hosts that come and go while a run is under way: it goes on, and no request is lost."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.record import everything
from tests.lab.fleet import (
    INVENTORY,
    Loadgen,
    inventory_with,
    make,
    on_host,
    read_until,
    requests_at_target,
)
from tests.lab.test_watch import ask

LOCUSTFILE = """
import faker
from locust import HttpUser, constant, task

NAME = faker.Faker().first_name()


class Visitor(HttpUser):
    wait_time = constant(0.5)

    @task
    def hello(self):
        self.client.get("/hello")
"""
ACCOUNT = "s3cret-of-one-account"
CRITICAL = 'ALERTS{alertstate="firing",severity="critical"}'
NOTHING_KEPT = f"! grep -rqs {ACCOUNT} /run/loadgen /var/lib/loadgen /opt/loadgen/scenarios"
PROCESSES = "systemctl show --property=MainPID --value 'loadgen-worker@*'"


def without_worker3(hosts: str) -> str:
    return re.sub(r" +worker3:\n +ansible_host: \S+\n", "", hosts)


@pytest.fixture
def growing(tmp_path: Path, deployed: None) -> Iterator[Path]:  # noqa: ARG001 - for its effect
    """An inventory that lacks worker3, whose target doesn't let it in; its fleet is deployed."""
    make("teardown-workers", options="--limit localhost,master,worker3")
    path = inventory_with(tmp_path / "growing", without_worker3)
    make("deploy", inventory=path)
    yield path
    make("deploy")


def test_a_host_joins_and_another_is_drained_during_a_run(
    growing: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = tmp_path / "shop"
    shop.mkdir()
    (shop / "locustfile.py").write_text(LOCUSTFILE)
    (shop / "requirements.txt").write_text("faker\n")
    accounts = tmp_path / "accounts.csv"
    accounts.write_text(f"username,password\na@example.org,{ACCOUNT}\n")
    monkeypatch.setenv("ACCOUNTS", str(accounts))
    loadgen = Loadgen(tmp_path / "results", growing)
    before = requests_at_target()
    running = loadgen.start(
        "run", "-f", str(shop / "locustfile.py"), "--users", "12", "--run-time", "240s"
    )
    read_until(running, "Loading http")
    code, said = loadgen("drain", "--host-limit", "worker2")
    assert code == 0, said
    (growing / "hosts.yml").write_text((INVENTORY / "hosts.yml").read_text())
    output = make("deploy", inventory=growing)

    assert re.search(r"worker3 +: ok=\d+ +changed=[1-9]\d* +unreachable=0 +failed=0", output)
    assert json.loads(on_host("worker3", "cat /run/loadgen/run.json"))["packages_directory"]
    assert on_host("worker2", f"{PROCESSES} | sort -u").split() in ([], ["0"])
    on_host("worker3", NOTHING_KEPT)
    code, said = loadgen("stop")
    assert code == 0, said
    rest, _ = running.communicate(timeout=240)

    assert running.returncode == 130, rest
    summary = loadgen.summary
    assert (summary["workers"]["lost"], summary["failures"]) == (0, 0)
    assert summary["workers"]["seen"] == summary["workers"]["expected"] + 2
    # The hosts that it began with asked the target once each.
    hosts = summary["workers"]["expected"] // 2
    assert requests_at_target() - before == everything(summary) + hosts
    assert list((loadgen.directory / "hosts" / "worker3").glob("loadgen-worker@*.log"))
    on_host("worker3", f"test ! -e /run/loadgen/run.json; {NOTHING_KEPT}")
    for host in ("worker2", "worker3"):
        assert on_host(host, "systemctl is-active loadgen-worker@1").strip() == "active"
    assert ask(CRITICAL) == []
