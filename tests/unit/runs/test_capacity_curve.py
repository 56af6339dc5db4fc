from loadgen.runs.capacity_curve import count_by_load, fit_curve
from loadgen.runs.capacity_search import TrialOutcome, describe, find_capacity, with_curve
from loadgen.specification.experiment import SearchSettings
from tests.coverage_of_intervals import CONFIDENCE, of_search


def test_trials_that_never_disagree_give_the_gap_between_the_loads() -> None:
    curve = fit_curve([(50, 3, 3), (100, 5, 5), (105, 0, 5), (200, 0, 3)], 0.95)
    assert curve is not None
    assert 90 < (curve.low or 0) <= 101
    assert 104 <= (curve.high or 0) < 116
    assert 100 <= curve.middle <= 105


def test_trials_that_disagree_give_a_curve_between_them() -> None:
    counts = [(80, 19, 20), (100, 10, 20), (125, 1, 20)]
    curve = fit_curve(counts, 0.95)
    assert curve is not None
    assert abs(curve.middle - 100) < 4
    assert abs(curve.chance(80) - 0.95) < 0.05
    assert (curve.low or 0) < 100 < (curve.high or 0)


def test_there_is_no_curve_when_all_held_or_none_did() -> None:
    assert fit_curve([(10, 3, 3)], 0.95) is None
    assert fit_curve([(10, 0, 3)], 0.95) is None


def test_held_and_tried_are_counted_by_load() -> None:
    assert count_by_load([(20, True), (10, True), (20, False)]) == [(10, 1, 1), (20, 1, 2)]


def test_the_interval_near_a_fuzzy_limit_holds_it_as_often_as_stated() -> None:
    found = of_search(0.3, range(40))
    assert found.ratio >= CONFIDENCE - 2 * (CONFIDENCE * (1 - CONFIDENCE) / found.of) ** 0.5


def test_a_search_says_what_each_load_held_and_where_half_of_the_trials_hold() -> None:
    settings = SearchSettings(start=8, most=100)
    found = with_curve(
        find_capacity(lambda n: TrialOutcome(state="held" if n <= 40 else "broke"), settings)
    )
    said = describe(found)
    assert "     40 users: " in said
    assert "Half of the trials hold at 4" in said
    assert sum(one.tried for one in found.loads) == len(found.trials)
