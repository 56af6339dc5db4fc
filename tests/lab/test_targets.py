"""Simulators as a fleet's target: deployed, loaded by their scenarios, and both count the same."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.fleet import TARGET, TARGET_CHECKS, Loadgen, deploy, on_host
from tests.local.scenarios import Counts, locust_counts

SCENARIOS = {
    "dspace": ("dspace", ""),
    "django_site": ("django_site", ""),
    "teastore": ("teastore", ""),
    "alarm_devices": ("alarm_receiver", "--law regression --speed 20"),
}


@pytest.fixture(scope="module", autouse=True)
def _hello_again() -> Iterator[None]:
    yield
    deploy()


def _answered() -> Counts:
    with urllib.request.urlopen(f"{TARGET}/_state.json", timeout=10) as answer:
        state = json.load(answer)
    return Counts({(row["method"], row["name"]): row["answered"] for row in state["requests"]})


@pytest.mark.parametrize("locustfile", SCENARIOS)
def test_simulator_is_deployed_and_its_scenario_has_no_failures(
    locustfile: str, loadgen: Loadgen
) -> None:
    name, options = SCENARIOS[locustfile]
    chosen = {"target_simulator": name, "target_options": options.split()}
    deploy(f"PLAYBOOK_OPTIONS=--extra-vars '{json.dumps(chosen)}'")
    with urllib.request.urlopen(f"{TARGET}/_state.json", timeout=10) as answer:
        assert json.load(answer)["simulator"] == name
    code, output = loadgen(
        *("run", "--locustfile", f"locustfiles/{locustfile}.py", "--users", "20"),
        *("--spawn-rate", "20", "--run-time", "10s"),
    )
    assert code == 0, output
    assert loadgen.summary["failures"] == 0
    counted = locust_counts(loadgen.directory)
    counted.pop(("ALARM", "alarm"), None)
    extra, lost = _answered() - counted, counted - _answered()
    assert not lost
    assert extra.total() <= TARGET_CHECKS + 1, extra


SEALED = """
from locust import FastHttpUser, constant, events, task
from loadgen.scenario.accounts import AccountPool
from loadgen.scenario.recorded import require_secrets

require_secrets({"RECORDED_X_API_KEY": "a header"})
accounts = AccountPool()
accounts.listen_to(events)

class Member(FastHttpUser):
    wait_time = constant(1)

    def on_start(self):
        self.account = accounts.take(self)
        self.client.get(f"/hello?{self.account.username}", name=self.account.username)

    def on_stop(self):
        accounts.give_back(self)

    @task
    def hello(self):
        self.client.get("/hello")
"""


def test_accounts_and_recorded_secrets_reach_the_fleet_and_stay_nowhere(
    loadgen: Loadgen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy()  # The simulator that answers this scenario, whatever a test before this one asked for.
    site = tmp_path / "sealed"
    site.mkdir()
    locustfile = site / "sealed.py"
    locustfile.write_text(SEALED)
    names = [f"member{number}" for number in range(12)]
    accounts = tmp_path / "accounts.csv"
    accounts.write_text("\n".join(["username,password", *(f"{one},p-2718281828" for one in names)]))
    monkeypatch.setenv("ACCOUNTS", str(accounts))
    monkeypatch.setenv("RECORDED_X_API_KEY", "k-31415926")
    code, output = loadgen(
        "run", "--locustfile", str(locustfile), *("--users", "12", "--run-time", "5s")
    )
    assert code == 0, output
    counted = locust_counts(loadgen.directory)
    assert {name: counted["GET", name] for name in names} == dict.fromkeys(names, 1)
    for path in loadgen.directory.rglob("*"):
        if path.is_file():
            kept = path.read_bytes()
            assert b"k-31415926" not in kept, path
            assert b"p-2718281828" not in kept, path
    for host in ("master1", "worker1", "worker2", "worker3"):
        on_host(
            host,
            "! grep -rqsE 'k-31415926|p-2718281828' /run/loadgen /var/lib/loadgen /opt/loadgen",
        )
