import re
from dataclasses import replace
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from exporter.collector import LocustCollector, worker_label
from exporter.totals import Limits
from loadgen.shared.snapshot import SloStatus
from tests.unit.exporter.samples import SNAPSHOT, WORKER, entry

GOLDEN = Path(__file__).with_name("exposition.prom")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def exposition(collector: LocustCollector) -> str:
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry).decode()


def test_exposition_of_one_snapshot_is_the_golden_one() -> None:
    collector = LocustCollector(Clock())
    collector.update(SNAPSHOT)
    assert exposition(collector) == GOLDEN.read_text()


def test_the_docstring_shows_every_sample_of_the_exposition() -> None:
    collector = LocustCollector(Clock())
    slo = SloStatus("p95 of GET / at most 2 s", True, 0.31, 2.0)
    collector.update(
        replace(SNAPSHOT, test_stopped_at=1001.0, slos=[slo], refused={"time_negative": 2})
    )
    names = set(re.findall(r"^(locust_\w+)", exposition(collector), re.MULTILINE))
    shown = set(
        re.findall(r"^ +(locust_\w+)", LocustCollector.overview.__doc__ or "", re.MULTILINE)
    )
    assert {name for name in names if not name.startswith("locust_exporter_")} == shown


def test_up_is_zero_before_the_first_snapshot() -> None:
    assert "locust_up 0.0" in exposition(LocustCollector(Clock()))


def test_gauges_end_and_counters_stay_when_the_master_is_silent() -> None:
    clock = Clock()
    collector = LocustCollector(clock)
    collector.update(SNAPSHOT)
    clock.now += 4.1
    text = exposition(collector)
    assert "locust_up 0.0" in text
    assert 'locust_requests_total{method="GET",name="/"} 4.0' in text
    assert not re.search(r"^locust_(users|workers|worker_users|state)", text, re.MULTILINE)
    collector.update(SNAPSHOT)
    assert "locust_up 1.0" in exposition(collector)


def test_a_worker_that_left_is_gone_from_the_next_scrape() -> None:
    collector = LocustCollector(Clock())
    collector.update(SNAPSHOT)
    collector.update(replace(SNAPSHOT, workers=[replace(WORKER, id="gen2_ff", index=1)]))
    text = exposition(collector)
    assert 'locust_worker_users{worker="gen2_1"} 5.0' in text
    assert "gen1" not in text


def test_lost_samples_are_what_workers_sent_less_what_arrived() -> None:
    collector = LocustCollector(Clock())
    collector.update(replace(SNAPSHOT, workers=[replace(WORKER, requests_sent=9)]))
    assert "locust_test_requests_lost 5.0" in exposition(collector)


def test_worker_labels_keep_underscores_of_host_names() -> None:
    assert worker_label(replace(WORKER, id="gen_a_0123", index=7)) == "gen_a_7"
    assert worker_label(replace(WORKER, id="plain", index=7)) == "plain_7"


def test_histogram_counts_are_cumulative_and_exact() -> None:
    collector = LocustCollector(Clock())
    collector.update(replace(SNAPSHOT, entries=[entry("/", 7, 12.0)], errors=[]))
    text = exposition(collector)
    assert 'locust_response_time_seconds_bucket{le="0.0101",method="GET",name="/"} 0.0' in text
    assert 'locust_response_time_seconds_bucket{le="0.0151",method="GET",name="/"} 7.0' in text
    assert 'locust_response_time_seconds_count{method="GET",name="/"} 7.0' in text
    assert 'locust_response_time_seconds_sum{method="GET",name="/"} 0.084' in text


def test_slos_are_shown_with_their_limits_once_they_have_data() -> None:
    collector = LocustCollector(clock=lambda: 1000.0)
    slos = [
        SloStatus("p95 of all requests at most 2 s", True, 0.3, 2.0),
        SloStatus("failure ratio of all requests at most 1 %", False, 0.5, 0.01),
        SloStatus("p95 of /typo at most 2 s", None, None, 2.0),
    ]
    collector.update(replace(SNAPSHOT, slos=slos))
    found = {f.name: f.samples for f in collector.collect() if f.name.startswith("locust_slo")}
    assert [sample.value for sample in found["locust_slo_held"]] == [1.0, 0.0]
    assert [sample.value for sample in found["locust_slo_limit"]] == [2.0, 0.01, 2.0]
    assert found["locust_slo_measured"][0].labels == {
        "slo": "p95 of all requests at most 2 s",
        "run_id": "r1",
    }


def test_a_runs_names_add_up_to_the_run_whatever_the_limits() -> None:
    limits = Limits(names=3, label_characters=10)
    collector = LocustCollector(lambda: 1.0, limits)
    names = ("/a", "/a/long/path/1", "/a/long/path/2", "/b", "/c", "/d")
    given = [entry(name, 10 + n, 10.0 * (n + 1), failures=n) for n, name in enumerate(names)]
    for _ in range(2):  # what is kept from scrape to scrape is the same
        collector.update(replace(SNAPSHOT, entries=given, errors=[]))
        families = {one.metric: one for one in collector.by_name(collector.view())}
        requests, failures = (
            {key[1]: value for key, _, value in families[f"locust_run_name_{what}"].rows}
            for what in ("requests", "failures")
        )
        assert requests == {"/a": 10, "/a/long/p…": 23, "/b": 13, limits.overflow[1]: 29}
        assert sum(failures.values()) == sum(one.failures for one in given)
        times = families["locust_run_name_response_time_seconds"].rows
        found = {(key[1], ratio): value for key, ratio, value in times}
        assert found["/a/long/p…", "1"] == 0.03
        assert found[limits.overflow[1], "0.5"] == 0.06
