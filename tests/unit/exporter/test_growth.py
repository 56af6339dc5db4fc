import math
from dataclasses import replace

import pytest

from exporter.collector import LocustCollector
from exporter.growth import FIELDS, Growth
from tests.unit.exporter.samples import entry, snapshot

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
