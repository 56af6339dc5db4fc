"""The alarm scenarios through `loadgen run`, distributed, against the simulated centre."""

import requests

from simulators import alarm_receiver
from tests.local.conftest import Runner
from tests.local.scenarios import locust_counts, run_scenario
from tests.servers import serving

ATTEMPTS, TRANSACTIONS = ("POST", "/"), ("ALARM", "alarm")


def test_devices_and_background_and_the_centre_count_the_same_by_kind(loadgen: Runner) -> None:
    """Both testers at once: 20 devices, and 20 users of other kinds beside them."""
    run, answered = run_scenario(
        loadgen,
        "locustfiles/alarm_devices.py,locustfiles/alarm_background.py",
        alarm_receiver.build(law="regression", speed=20),
        *("--users", "40"),
    )
    counts = locust_counts(run.directory)
    assert run.summary["failures"] == 0
    assert counts.pop(TRANSACTIONS) == counts[ATTEMPTS]
    assert len(counts) == 8, "alarms and seven other kinds"
    assert counts == {key: answered[key] for key in counts}
    assert counts[ATTEMPTS] > 300
    assert sum(counts.values()) > 600


def test_arrivals_keep_their_rate_and_count_from_the_intended_start(loadgen: Runner) -> None:
    """The lock serves 10 a second: at 20 a second a closed model would slow down with it."""
    run, answered = run_scenario(
        loadgen,
        "locustfiles/alarm_arrivals.py",
        alarm_receiver.build(speed=20),
        *("--stop-timeout", "30s", "--", "--arrival-rate", "20"),
        run_time="4s",
    )
    counts = locust_counts(run.directory)
    arrivals = counts["ARRIVAL", "AlarmArrivals"]
    assert run.summary["failures"] == 0
    assert counts[ATTEMPTS] == answered[ATTEMPTS] == arrivals
    assert 40 < arrivals < 120
    assert run.summary["response_time_seconds"]["max"] > 2


def test_devices_fail_over_to_the_second_host_through_a_spike(loadgen: Runner) -> None:
    """The first host is out of order from 3.0 s to 3.35 s, 3.6 s and 4.2 s: amid the spike."""
    with serving(alarm_receiver.build(speed=100)) as second:
        run, first_answered = run_scenario(
            loadgen,
            "locustfiles/alarm_devices.py,locustfiles/shapes/spike.py",
            alarm_receiver.build(faults=True, speed=100),
            *("--users", "4", "--"),
            *("--alarm-hosts", second, "--alarm-interval", "0.1-0.4"),
            *("--spike-users", "16", "--spike-after", "2s", "--spike-time", "3s"),
            run_time="20s",
            exit_code=1,
        )
        state = requests.get(f"{second}/_state.json", timeout=10).json()
    counts = locust_counts(run.directory)
    refused = run.summary["failures"]
    assert refused > 0
    assert counts[ATTEMPTS] == first_answered[ATTEMPTS]
    assert counts["POST", "/ (host 2)"] == state["answered"] > 0
    assert counts[TRANSACTIONS] == counts[ATTEMPTS] + counts["POST", "/ (host 2)"] - refused

    history = (run.directory / "stats_history.csv").read_text().splitlines()
    users = [int(row.split(",")[1]) for row in history[1:]]
    assert max(users) == 16
    assert 4 in users[: users.index(16)]
    assert 4 in users[users.index(16) :], f"no way back from the spike: {users}"


def test_shape_that_can_not_be_made_ends_the_run_with_its_sentence(loadgen: Runner) -> None:
    with serving(alarm_receiver.build(speed=200)) as url:
        code, run = loadgen.finish(
            *("--locustfile", "locustfiles/alarm_devices.py,locustfiles/shapes/recorded.py"),
            *("--host", url, "--workers", "1"),
        )
    assert code == 4, run.output
    assert "--rate-file is not given" in run.output
