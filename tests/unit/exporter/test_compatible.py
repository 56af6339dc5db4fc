from dataclasses import replace

from prometheus_client import CollectorRegistry, generate_latest

from exporter.compatible import CompatibleNames
from loadgen.shared.snapshot import ErrorCount, Snapshot
from tests.unit.exporter.samples import SNAPSHOT, entry

NAMES = {
    *("locust_running", "locust_workers_count", "locust_workers_running_count"),
    *("locust_workers_hatching_count", "locust_workers_missing_count"),
    *("locust_requests_fail_ratio", "locust_worker_detail", "locust_errors"),
    "locust_requests_current_response_time_percentile_50",
    "locust_requests_current_response_time_percentile_95",
    *("locust_requests_num_requests", "locust_requests_num_failures"),
    *("locust_requests_avg_response_time", "locust_requests_min_response_time"),
    *("locust_requests_max_response_time", "locust_requests_median_response_time"),
    *("locust_requests_current_rps", "locust_requests_current_fail_per_sec"),
    "locust_requests_avg_content_length",
}


def samples(*snapshots: Snapshot) -> dict[str, float]:
    names = CompatibleNames(lambda: snapshots[-1] if snapshots else None)
    for snapshot in snapshots:
        names.update(snapshot)
    registry = CollectorRegistry()
    registry.register(names)
    lines = generate_latest(registry).decode().splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {sample: float(value) for sample, value in pairs}


def at(time: float, requests: int, slow: int = 0) -> Snapshot:
    """Requests of 5 ms and `slow` ones of 90 ms, since the test began."""
    times = {5.0: requests, 90.0: slow}
    both = replace(entry("/", requests + slow), response_times=times)
    return replace(SNAPSHOT, time=time, entries=[both], errors=[])


def test_every_name_of_the_other_exporter_is_there() -> None:
    assert {sample.partition("{")[0] for sample in samples(SNAPSHOT)} == NAMES


def test_nothing_is_shown_of_a_master_that_is_not_heard() -> None:
    assert samples() == {}


def test_rates_and_percentiles_are_over_the_last_ten_seconds() -> None:
    shown = samples(at(0, 1), at(20, 1000), at(25, 1000), at(30, 1000, slow=200))
    assert shown['locust_requests_current_rps{method="GET",name="/"}'] == 20
    assert shown["locust_requests_current_response_time_percentile_95"] == 90


def test_a_new_test_does_not_count_from_the_old_one() -> None:
    later = replace(at(2, 10), epoch="m1-2")
    shown = samples(at(1, 1000), later)
    assert shown['locust_requests_current_rps{method="GET",name="/"}'] == 0


def test_requests_without_a_time_count_in_no_average() -> None:
    shown = samples(SNAPSHOT)
    labels = '{method="GET",name="/"}'
    assert shown[f"locust_requests_avg_response_time{labels}"] == 512.4 / 3
    assert shown[f"locust_requests_median_response_time{labels}"] == 12
    assert shown["locust_requests_fail_ratio"] == 0.25


def test_errors_are_bounded() -> None:
    errors = [ErrorCount("GET", "/", f"error {number}", 1) for number in range(500)]
    shown = samples(replace(SNAPSHOT, errors=errors))
    assert len([sample for sample in shown if sample.startswith("locust_errors")]) == 20
