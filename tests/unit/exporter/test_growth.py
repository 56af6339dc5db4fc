import math
import re
from dataclasses import fields, replace
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.collector import LocustCollector
from exporter.exposition import Exposition
from exporter.growth import FIELDS, Growth
from exporter.runs import RunsCollector
from loadgen.shared.snapshot import (
    EntryStatistics,
    ErrorCount,
    SecondCount,
    SloStatus,
    Snapshot,
    WorkerStatus,
    unpack,
)
from tests.unit.exporter.samples import WORKER, entry, snapshot

BEFORE = entry("/", 10, failures=2)
AFTER = replace(BEFORE, requests=12, response_times={10.0: 12}, response_time_total_ms=120.0)


def mended(growth: Growth, **changed: object) -> dict[str, object]:
    growth.mended(snapshot("m1-1", BEFORE, entry("/b", 3)))
    after = replace(AFTER, **changed)  # type: ignore[arg-type]
    home, other = growth.mended(snapshot("m1-1", after, entry("/b", 5))).entries
    assert other == entry("/b", 5)
    return {name: getattr(home, name) for name in (*FIELDS, "response_times")}


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize("value", [-5, 1, math.nan, math.inf])
def test_a_count_that_goes_back_or_is_none_stays_and_the_rest_goes_on(
    field: str, value: float
) -> None:
    growth = Growth()
    expected = {name: getattr(AFTER, name) for name in (*FIELDS, "response_times")}
    expected[field] = getattr(BEFORE, field)
    assert mended(growth, **{field: value}) == expected
    assert sum(growth.refused.values()) == 1


def test_a_histogram_keeps_what_it_has_shown() -> None:
    growth = Growth()
    times = mended(growth, response_times={10.0: 4, 20.0: 8, math.nan: 1, -3.0: 1})
    assert times["response_times"] == {10.0: 10, 20.0: 8}
    assert growth.refused == {"decreased": 1, "no_number": 2}


def test_what_grows_is_left_as_it_is_and_another_epoch_may_begin_lower() -> None:
    growth = Growth()
    for epoch, requests in (("m1-1", 10), ("m1-1", 12), ("m1-2", 1)):
        given = snapshot(epoch, entry("/", requests))
        assert growth.mended(given) is given
    assert not any(growth.refused.values())


def test_counters_never_decrease_whatever_a_worker_says() -> None:
    collector = LocustCollector(lambda: 1.0)
    shown = []
    for size in (1000, 995, 1200, -7):
        collector.update(snapshot("m1-1", replace(AFTER, response_bytes=size)))
        shown.append(collector.view().sums[("GET", "/")].response_bytes)
    assert shown == [1000, 1000, 1200, 1200]


NONE_OF_THEM: tuple[object, ...] = (None, "12", b"1", [], {}, True, math.nan, -math.inf)


def scraped(collector: LocustCollector) -> str:
    runs = RunsCollector(collector.run, lambda: ())
    text = Exposition(collector, runs).render()[1].decode()
    list(text_string_to_metric_families(text))
    assert 'locust_requests_total{method="GET",name="/b"} 5.0' in text
    return text


def heard(given: Snapshot) -> str:
    """Return a scrape after a sound snapshot and the given one, which came over the wire."""
    collector = LocustCollector(lambda: 1.0)
    collector.update(snapshot("m1-1", BEFORE, entry("/b", 3)))
    collector.update(unpack(given.pack()))
    return scraped(collector)


@pytest.mark.parametrize("value", NONE_OF_THEM)
@pytest.mark.parametrize("field", [one.name for one in fields(EntryStatistics)])
def test_no_field_of_an_entry_costs_a_scrape_or_another_entry(field: str, value: object) -> None:
    odd = replace(AFTER, **{field: value})  # type: ignore[arg-type]
    try:
        given = snapshot("m1-1", odd, entry("/b", 5))
        text = heard(given)
    except (AttributeError, TypeError):
        assert field == "response_times"  # what is no map at all, a snapshot can't be
        return
    assert "NaN" not in text
    assert re.search(r'locust_requests_total{method="[^"]+",name="[^"]+"} 1[02].0', text)


@pytest.mark.parametrize("value", NONE_OF_THEM)
@pytest.mark.parametrize("field", [one.name for one in fields(WorkerStatus)])
def test_no_field_of_a_worker_does(field: str, value: object) -> None:
    odd = replace(WORKER, **{field: value})  # type: ignore[arg-type]
    other = replace(WORKER, id="gen2_x", index=7)
    text = heard(replace(snapshot("m1-1", AFTER, entry("/b", 5)), workers=[odd, other]))
    assert 'locust_worker_cpu_ratio{worker="gen2_7"} 0.415' in text
    assert "NaN" not in text


NUMBERS = [
    "time", "users", "users_target", "workers_expected", "workers_lost", "test_started_at",
    "test_stopped_at", "master_cpu_percent", "master_memory_bytes", "measured_from",
    "measured_seconds",
]  # fmt: skip


@pytest.mark.parametrize("value", NONE_OF_THEM)
@pytest.mark.parametrize("field", [*NUMBERS, "run_id", "locustfile", "host", "state"])
def test_no_field_of_a_snapshot_does(field: str, value: object) -> None:
    given = snapshot("m1-1", AFTER, entry("/b", 5))
    text = heard(replace(given, **{field: value}))  # type: ignore[arg-type]
    assert "NaN" not in text
    assert "locust_up 1.0" in text


def test_none_among_response_times_errors_seconds_and_slos_costs_that_one_only() -> None:
    none: Any = None
    given = replace(
        snapshot("m1-1", replace(AFTER, response_times={none: 1, 10.0: 12}), entry("/b", 5)),
        errors=[ErrorCount("GET", "/b", "no", none), ErrorCount("GET", "/b", none, 2)],
        completed=[SecondCount(1, none, 0), SecondCount(2, 7, 0)],
        measured_from=1.0,
        slos=[SloStatus("a", none, none, none), SloStatus("b", True, 1.0, 2.0)],
        refused={"a": none, "b": 3},
    )
    text = heard(given)
    assert 'locust_run_requests_per_second_peak{run_id="r1"} 7.0' in text
    assert 'locust_slo_limit{run_id="r1",slo="b"} 2.0' in text
    assert 'locust_test_values_refused{kind="b"} 3.0' in text
    assert 'locust_run_errors{error="None",method="GET",name="/b",run_id="r1"} 2.0' in text
    assert 'locust_response_time_seconds_count{method="GET",name="/"} 12.0' in text
    refused = re.search(r'locust_exporter_values_refused_total{kind="no_number"} (\d+)', text)
    assert refused
    assert int(refused[1]) >= 4
