import json
from dataclasses import replace
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from exporter.archive import Archive
from exporter.collector import LocustCollector
from exporter.runs import RunsCollector
from loadgen.shared.snapshot import SecondCount
from tests.unit.exporter.samples import SNAPSHOT

SUMMARY = {
    "verdict": "passed",
    "requests": 10,
    "failures": 1,
    "measured_seconds": 5.0,
    "started_at": "2027-01-15T08:00:00Z",
    "ended_at": "2027-01-15T08:00:05Z",
    "response_time_seconds": {"p50": 0.1, "p95": 0.2, "p99": None, "max": 0.3},
    "workers": {"expected": 2, "seen": 2, "lost": 1},
    "specification": {"users": 7},
}


def lines_of(*collectors: RunsCollector) -> set[str]:
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)
    lines = generate_latest(registry).decode().splitlines()
    return {line for line in lines if not line.startswith("#")}


def archive(directory: Path) -> Archive:
    for name, text in {"r1": json.dumps(SUMMARY), "r2": "{", "r3": None, "r4": "[]"}.items():
        (directory / name).mkdir()
        if text is not None:
            (directory / name / "summary.json").write_text(text)
    (directory / "latest").symlink_to("r1")
    return Archive(directory)


def test_past_runs_are_shown_and_unfinished_ones_are_not(tmp_path: Path) -> None:
    assert lines_of(RunsCollector(lambda: None, archive(tmp_path).runs)) == {
        'locust_run_start_timestamp_seconds{run_id="r1"} 1.8e+09',
        'locust_run_end_timestamp_seconds{run_id="r1"} 1.800000005e+09',
        'locust_run_measured_seconds{run_id="r1"} 5.0',
        'locust_run_users{run_id="r1"} 7.0',
        'locust_run_requests{run_id="r1"} 10.0',
        'locust_run_failures{run_id="r1"} 1.0',
        'locust_run_workers_lost{run_id="r1"} 1.0',
        'locust_run_workers_expected{run_id="r1"} 2.0',
        'locust_run_response_time_seconds{ratio="0.5",run_id="r1"} 0.1',
        'locust_run_response_time_seconds{ratio="0.95",run_id="r1"} 0.2',
        'locust_run_response_time_seconds{ratio="1",run_id="r1"} 0.3',
        'locust_run_verdict{run_id="r1",verdict="passed"} 1.0',
    }


def test_the_run_under_way_is_among_them_once_and_a_verdict_is_the_last_word(
    tmp_path: Path,
) -> None:
    collector = LocustCollector(lambda: 1.0)
    collector.update(SNAPSHOT)
    live = lines_of(RunsCollector(collector.run, lambda: ()))
    assert 'locust_run_requests{run_id="r1"} 4.0' in live
    assert 'locust_run_response_time_seconds{ratio="0.95",run_id="r1"} 0.5' in live
    assert 'locust_run_users{run_id="r1"} 5.0' in live
    both = lines_of(RunsCollector(collector.run, archive(tmp_path).runs))
    assert 'locust_run_requests{run_id="r1"} 10.0' in both
    assert 'locust_run_requests{run_id="r1"} 4.0' not in both


def peaks(collector: LocustCollector) -> list[float | None]:
    run = collector.run()
    assert run is not None
    return [run.users_peak, run.requests_per_second_peak]


def test_peaks_are_those_of_the_whole_test_and_not_of_its_warm_up() -> None:
    collector = LocustCollector(lambda: 1.0)
    warm_up = replace(SNAPSHOT, completed=[SecondCount(990, 900, 0)], users=9)
    collector.update(warm_up)
    assert peaks(collector) == [9, None]
    measured = replace(SNAPSHOT, measured_from=991.0, users=5)
    # A second's count grows while workers report; seconds may come again, or be missed.
    for counts in ([(991, 30)], [(991, 70), (992, 10)], [(992, 40)], []):
        completed = [SecondCount(second, requests, 0) for second, requests in counts]
        collector.update(replace(measured, completed=completed))
    assert peaks(collector) == [9, 70]
    collector.update(replace(measured, test_started_at=2000.0, measured_from=2000.0, users=1))
    assert peaks(collector) == [1, None]


def test_a_kept_run_has_the_peaks_that_its_exporter_knows(tmp_path: Path) -> None:
    collector = LocustCollector(lambda: 1.0)
    counted = replace(SNAPSHOT, measured_from=990.0, completed=[SecondCount(990, 3, 0)])
    collector.update(counted)
    lines = lines_of(RunsCollector(collector.run, archive(tmp_path).runs))
    assert 'locust_run_requests_per_second_peak{run_id="r1"} 3.0' in lines
    assert 'locust_run_users_peak{run_id="r1"} 5.0' in lines
    assert 'locust_run_requests{run_id="r1"} 10.0' in lines


def test_nothing_is_said_of_a_run_before_one() -> None:
    assert LocustCollector(lambda: 1.0).run() is None
