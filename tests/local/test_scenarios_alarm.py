"""What is special about alarms through `loadgen run`: arrivals at a rate, failover, shapes."""

from loadgen.simulators import alarm_receiver
from tests.local.conftest import Runner
from tests.local.scenarios import ended, start_scenario, target_counts
from tests.servers import serving

ATTEMPTS, SECOND_HOST = ("POST", "/"), ("POST", "/ (host 2)")


def test_arrivals_keep_their_rate_and_devices_fail_over_through_a_spike(loadgen: Runner) -> None:
    """Arrivals: the lock serves 10 a second; at 20 a second a closed model would slow down with it.

    Devices: the first host is out of order from 3.0 s to 3.35 s, 3.6 s and 4.2 s, amid the spike.
    """
    with (
        serving(alarm_receiver.build(speed=20)) as slow,
        serving(alarm_receiver.build(faults=True, speed=100)) as first,
        serving(alarm_receiver.build(speed=100)) as second,
    ):
        arrivals = start_scenario(
            loadgen,
            *("locustfiles/alarm_arrivals.py", slow, "--run-time", "4s", "--stop-timeout", "30s"),
            *("--arrival-rate", "20"),
        )
        devices = start_scenario(
            loadgen,
            *("locustfiles/alarm_devices.py,locustfiles/shapes/spike.py", first, "--users", "4"),
            *("--run-time", "20s", "--", "--alarm-hosts", second, "--alarm-interval", "0.1-0.4"),
            *("--spike-users", "16", "--spike-after", "2s", "--spike-time", "3s"),
        )
        counts = ended(arrivals)
        assert arrivals.summary["failures"] == 0
        assert counts[ATTEMPTS] == target_counts(slow)[ATTEMPTS] > 40
        assert counts["ARRIVAL", "AlarmArrivals"] == counts[ATTEMPTS] < 120
        assert arrivals.summary["after_stop"]["maximum_seconds"] > 2, "from the intended start"

        counts = ended(devices, exit_code=1)
        refused = devices.summary["failures"] + devices.summary["after_stop"]["failures"]
        assert refused > 0
        assert counts[ATTEMPTS] == target_counts(first)[ATTEMPTS]
        assert counts[SECOND_HOST] == target_counts(second)[ATTEMPTS] > 0
        assert counts["ALARM", "alarm"] == counts[ATTEMPTS] + counts[SECOND_HOST] - refused

    history = (devices.directory / "stats_history.csv").read_text().splitlines()
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
