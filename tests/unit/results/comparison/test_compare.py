import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadgen.node.statistics.time_rounding import bucket
from loadgen.results.comparison.compare import (
    CompareSettings,
    compare,
    describe,
    regressions,
    scope,
)
from loadgen.results.comparison.run_spread import t_interval
from loadgen.results.comparison.setup_differences import setup_differences
from loadgen.shared.histograms import percentile
from loadgen.shared.snapshot import EntryStatistics
from tests.coverage_of_intervals import CONFIDENCE, of_comparison
from tests.unit.samples import entry, summary


def run(seed: int, factor: float = 1.0, failures: int = 5, count: int = 2000) -> EntryStatistics:
    generator, times = random.Random(seed), dict[float, int]()
    for _ in range(count):
        value = bucket(factor * generator.lognormvariate(3, 0.3))
        times[value] = times.get(value, 0) + 1
    return entry("/item", response_times=times, failures=failures)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000))
def test_a_run_compared_with_itself_shows_nothing(seed: int) -> None:
    one = [run(seed)]
    differences = compare([one], [one])
    assert {d.verdict for d in differences} == {"same"}
    assert {d.change for d in differences} == {0}


def test_repetitions_of_one_target_show_nothing() -> None:
    before = [[run(seed)] for seed in range(3)]
    after = [[run(seed)] for seed in range(3, 6)]
    assert regressions(compare(before, after)) == []


def test_a_target_ten_percent_slower_shows() -> None:
    found = regressions(compare([[run(1, count=20_000)]], [[run(2, 1.1, count=20_000)]]))
    assert {d.measure for d in found} >= {"p50_seconds", "p95_seconds"}
    for difference in found:
        assert difference.low is not None
        assert difference.high is not None
        assert difference.low <= 0.11
        assert difference.high >= 0.09


def test_a_faster_target_is_no_regression() -> None:
    differences = compare([[run(1)]], [[run(2, 0.7)]])
    assert regressions(differences) == []
    assert "better" in {d.verdict for d in differences}


def test_failures_that_appear_are_a_regression() -> None:
    found = regressions(compare([[run(1, failures=0)]], [[run(1, failures=200)]]))
    assert [d.measure for d in found] == ["failure_ratio"]
    assert "failure ratio 0 % -> 10 % (+10 %-points" in describe(found)


def test_repetitions_that_differ_widen_the_interval() -> None:
    steady = [[run(seed, 1.0)] for seed in range(5)]
    restless = [[run(seed, 1 + 0.4 * (seed % 2))] for seed in range(5)]
    p50 = compare(steady, restless)[0]
    assert p50.low is not None
    assert p50.high is not None
    assert p50.high - p50.low > 0.2


def test_names_on_one_side_and_names_with_few_requests_are_not_judged() -> None:
    few = entry("/few", response_times={10.0: 5})
    slow = entry("/few", response_times={900.0: 5})
    differences = compare([[few, entry("/old")]], [[slow, entry("/new")]])
    verdicts = {d.name: d.verdict for d in differences}
    assert verdicts == {"/few": "few", "/old": "gone", "/new": "new"}


def test_percentiles_are_those_of_the_statistics() -> None:
    one = run(4)
    difference = compare([[one]], [[one]])[1]
    expected = percentile(one.response_times, 0.95)
    assert (difference.measure, difference.before) == ("p95_seconds", (expected or 0) / 1000)


def test_tolerance_decides_what_counts() -> None:
    sides = [[run(1, count=20_000)]], [[run(2, 1.1, count=20_000)]]
    assert regressions(compare(*sides, CompareSettings(tolerance_ratio=0.2))) == []


@pytest.mark.parametrize("runs", [2, 3])
def test_a_stated_interval_over_runs_holds_the_truth_as_often_as_stated(runs: int) -> None:
    found = of_comparison(runs, range(150))
    # Two standard deviations of chance below what is stated.
    assert found.ratio >= CONFIDENCE - 2 * (CONFIDENCE * (1 - CONFIDENCE) / found.of) ** 0.5


def test_an_interval_over_runs_is_students_t() -> None:
    found = t_interval([0.0, 0.2], [0.1, 0.5], 0.95, 0.0)
    # scipy.stats.ttest_ind([0.1, 0.5], [0.0, 0.2]).confidence_interval(0.95)
    assert found.difference == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((-0.7621, 1.1621), abs=1e-4)
    found = t_interval([0.0, 0.2], [0.1, 0.3, 0.5], 0.95, 0.0)
    # scipy.stats.ttest_ind([0.1, 0.3, 0.5], [0.0, 0.2], equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((-0.2975, 0.6975), abs=1e-4)


@pytest.mark.parametrize(("few", "many"), [(0.3, 0.03), (0.03, 0.3), (0.1, 0.1)])
def test_sides_of_another_number_may_spread_otherwise(few: float, many: float) -> None:
    held, seeds = 0, range(1000)
    for seed in seeds:
        drawn = random.Random(seed)
        sides = [[drawn.gauss(0, spread) for _ in range(n)] for n, spread in ((3, few), (8, many))]
        found = t_interval(sides[0], sides[1], CONFIDENCE, 0.0)
        held += found.low <= 0 <= found.high
    assert held / len(seeds) >= CONFIDENCE - 0.02


def test_runs_that_happen_to_agree_give_an_interval_with_a_width() -> None:
    same = [[entry("/", response_times={20.0: 500})] for _ in range(2)]
    p50 = compare(same, same, CompareSettings(confidence=0.95))[0]
    assert (p50.high or 0) - (p50.low or 0) > 0.01


def test_one_run_a_side_says_that_it_speaks_of_this_pair_only() -> None:
    assert "holds for these two runs only" in scope(1, 1, 0.99)
    assert "Student's t over the runs (2 degrees of freedom)" in scope(2, 2, 0.99)


def test_what_was_asked_differently_is_listed() -> None:
    one = summary()
    other = one.model_copy(
        update={
            "specification": {"users": 20, "host": "http://127.0.0.1:1", "web_port": 9},
            "versions": {"locust": "2.48.0"},
        }
    )
    assert setup_differences([one], [one]) == []
    assert setup_differences([one], [other]) == [
        "users: 2 -> 20",
        "version of locust: 2.47.0 -> 2.48.0",
    ]
    assert setup_differences([one, other], [one, other])[0] == "users: 2, 20 -> 2, 20"


def test_sides_without_a_common_name_are_not_compared() -> None:
    assert "nothing was compared" in describe(compare([[entry("/old")]], [[entry("/new")]]))
