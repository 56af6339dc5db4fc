"""Statistics that are counted in one go equal those that unmodified Locust counts."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from locust import stats as locust_stats
from locust.stats import RequestStats, StatsEntry

from loadgen.node.statistics import time_rounding
from loadgen.scenario.http import tally


class Clock:
    """Stands for time.time in both ways of counting."""

    now = 1_800_000_000.25

    def time(self) -> float:
        return self.now


REQUESTS = st.tuples(
    st.just("request"),
    st.sampled_from(["GET", "POST"]),
    st.sampled_from(["/", "/page/[id]", "ü"]),
    st.one_of(st.floats(0, 2e6), st.sampled_from([0.0, 0.49, 1.5, 99.5, 104.5, 9949.9])),
    st.integers(0, 10**9),
)
STEPS = st.one_of(
    REQUESTS,
    REQUESTS,
    st.tuples(st.just("failure"), st.sampled_from(["GET"]), st.sampled_from(["/", "/x"])),
    st.tuples(st.just("untimed"), st.sampled_from(["GET"]), st.sampled_from(["/", "/x"])),
    st.tuples(st.just("later"), st.sampled_from([0.001, 0.8, 1.0, 3.0, 11.0, 40.0])),
    st.tuples(st.sampled_from(["reset", "clear", "report", "percentiles"])),
)


@pytest.fixture(params=["locust's rounding", "the kit's"])
def rounding(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param != "locust's rounding":
        monkeypatch.setattr(locust_stats, "bucket_response_time", time_rounding.bucket)


@pytest.mark.usefixtures("rounding")
@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, max_size=40), cached=st.booleans())
def test_a_tally_counts_what_locust_counts(steps: list[tuple[Any, ...]], cached: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr(locust_stats, "time", clock)
        patch.setattr(tally, "time", clock.time)
        locusts, ours = (RequestStats(use_response_times_cache=cached) for _ in range(2))
        for step in steps:
            if step[0] == "later":
                clock.now += step[1]
            told = _take(step, locusts, _log), _take(step, ours, tally.add)
            assert told[0] == told[1]
            assert _state(locusts) == _state(ours)


def _log(statistics: RequestStats, *request: Any) -> None:
    statistics.log_request(*request)


def _take(step: tuple[Any, ...], statistics: RequestStats, add: Callable[..., None]) -> object:
    match step:
        case "request", *request:
            add(statistics, *request)
        case "failure", method, name:
            statistics.log_request(method, name, 5, 0)
            statistics.log_error(method, name, "broken")
        case "untimed", method, name:
            statistics.log_request(method, name, None, 0)  # type: ignore[arg-type]
        case ("reset",):
            statistics.reset_all()
        case ("clear",):
            statistics.clear_all()
        case ("report",):
            return deepcopy([statistics.serialize_stats(), statistics.total.get_stripped_report()])
        case ("percentiles",):
            entries = [statistics.total, *statistics.entries.values()]
            if statistics.use_response_times_cache:
                return [entry.get_current_response_time_percentile(0.5) for entry in entries]
            return [entry.get_response_time_percentile(0.5) for entry in entries]
    return None


def _state(statistics: RequestStats) -> object:
    entries = {("Aggregated", ""): statistics.total, **statistics.entries}
    return {
        key: {name: value for name, value in vars(entry).items() if name != "stats"}
        for key, entry in entries.items()
    }, statistics.serialize_errors()


def test_a_tally_stands_for_locusts_methods_only(monkeypatch: pytest.MonkeyPatch) -> None:
    statistics = RequestStats()
    assert tally.stands_for(statistics)
    assert not tally.stands_for(type("Own", (RequestStats,), {})())
    statistics.log_request = print  # type: ignore[method-assign,assignment]
    assert not tally.stands_for(statistics)
    monkeypatch.setattr(StatsEntry, "log", print)
    assert not tally.stands_for(RequestStats())
