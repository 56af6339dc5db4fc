"""Simulators as a fleet's target: deployed, loaded by their scenarios, and both count the same."""

import json
import urllib.request
from collections.abc import Iterator

import pytest

from tests.lab.fleet import TARGET, TARGET_CHECKS, Loadgen, deploy
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
