"""Each scenario as it is promised: `make run-distributed`, 20 users for 20 s, and no failures.

The default suite runs them shorter and side by side. Prints what each run came to.
"""

import json
import os
import subprocess
import uuid
from pathlib import Path

import pytest

from tests.certificates import make_certificate
from tests.local.conftest import MARKER, PROJECT, processes_marked
from tests.local.scenarios import assert_counts_agree, locust_counts, target_counts
from tests.servers import simulator

TIMEOUT_SECONDS = 120
TRANSACTIONS = {("ALARM", "alarm"), ("ARRIVAL", "AlarmArrivals")}
CENTRE = ("--law", "regression", "--speed", "20")
SCENARIOS: dict[str, tuple[str, tuple[str, ...]]] = {
    "hello": ("hello", ()),
    "dspace": ("dspace", ()),
    "dspace_submission": ("dspace", ()),
    "django_site": ("django_site", ()),
    "teastore": ("teastore", ()),
    "alarm_devices": ("alarm_receiver", CENTRE),
    "alarm_background": ("alarm_receiver", CENTRE),
    "alarm_arrivals": ("alarm_receiver", CENTRE),
}
OVER_HTTPS = ("dspace", "dspace_submission", "django_site")


def _run(locustfile: str, url: str, results: Path, *more: str) -> Path:
    """Run `make run-distributed` as a user types it; return the run's directory."""
    marker = f"marker-{uuid.uuid4().hex}"
    finished = subprocess.run(
        [
            *("make", "run-distributed", f"LOCUSTFILE=locustfiles/{locustfile}.py"),
            *(f"HOST={url}", "USERS=20", "SPAWN_RATE=20", "RUN_TIME=20s", "WORKERS=2"),
            *(f"RESULTS={results}", *more),
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
        env={**os.environ, MARKER: marker},
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert not processes_marked(marker)
    return (results / "latest").resolve()


def _check(name: str, url: str, directory: Path, verify: str | bool = True) -> None:
    summary = json.loads((directory / "summary.json").read_text())
    counted = locust_counts(directory)
    assert summary["verdict"] == "passed"
    assert summary["failures"] == 0
    for transaction in TRANSACTIONS:
        assert counted.pop(transaction, counted["POST", "/"]) == counted["POST", "/"]
    assert_counts_agree(counted, target_counts(url, verify))
    print(f"\n{name}: {counted.total()} requests of {len(counted)} kinds, 0 failures, equal counts")


@pytest.mark.parametrize("locustfile", SCENARIOS)
def test_scenario_has_no_failures_and_its_target_counts_the_same(
    locustfile: str, tmp_path: Path
) -> None:
    name, options = SCENARIOS[locustfile]
    with simulator(name, options=options) as url:
        _check(locustfile, url, _run(locustfile, url, tmp_path))


@pytest.mark.parametrize("locustfile", OVER_HTTPS)
def test_scenario_does_so_over_https(locustfile: str, tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    with simulator(SCENARIOS[locustfile][0], (certificate, key)) as url:
        directory = _run(locustfile, url, tmp_path, "INSECURE_TARGET=1")
        _check(f"{locustfile} over https", url, directory, str(certificate))
