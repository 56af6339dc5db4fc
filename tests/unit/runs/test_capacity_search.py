import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.runs.capacity_search import (
    State,
    TrialOutcome,
    find_capacity,
    find_published,
    lead_needed,
)
from loadgen.shared.errors import OperationError
from loadgen.specification.experiment import SearchSettings


class Target:
    """A target of known capacity whose trials are wrong where `outliers` says."""

    def __init__(self, capacity: int, outliers: frozenset[int] = frozenset()) -> None:
        self.capacity, self.outliers, self.loads = capacity, outliers, list[int]()

    def __call__(self, load: int) -> TrialOutcome:
        self.loads.append(load)
        held = (load <= self.capacity) != (len(self.loads) in self.outliers)
        return TrialOutcome(state="held" if held else "broke")


@given(st.integers(1, 5000), st.integers(1, 60), st.integers(1, 40))
def test_search_finds_the_capacity_in_spite_of_an_outlier(
    capacity: int, outlier: int, start: int
) -> None:
    target = Target(capacity, frozenset({outlier}))
    found = find_capacity(target, SearchSettings(start=start))
    assert (found.low or 0) <= capacity < (found.high or 0)
    assert (found.high or 0) - (found.low or 0) <= max(1, 0.05 * (found.high or 0))


def test_the_published_rule_is_ended_by_one_outlier() -> None:
    held = find_published(Target(200), SearchSettings())
    ended = find_published(Target(200, frozenset({4})), SearchSettings())
    assert (held.last_held, held.first_broke) == (200, 210)
    assert (ended.last_held, ended.first_broke) == (20, 30)


def test_the_published_rule_is_shown_beside_when_asked() -> None:
    found = find_capacity(Target(55), SearchSettings(compare_published=True))
    assert found.published is not None
    assert found.published.first_broke == 60


def test_stated_confidence_is_met_over_many_searches() -> None:
    generator, right, searches = random.Random(7), 0, 400
    for _ in range(searches):
        capacity = generator.randint(5, 2000)

        def measure(load: int, capacity: int = capacity) -> TrialOutcome:
            held = (load <= capacity) != (generator.random() < 0.1)
            return TrialOutcome(state="held" if held else "broke")

        found = find_capacity(measure, SearchSettings(confidence=0.95))
        right += (found.low or 0) <= capacity < (found.high or 1)
    assert right / searches >= 0.95


@pytest.mark.parametrize(
    ("error", "trial_error", "lead"), [(0.05, 0.1, 2), (0.025, 0.1, 2), (0.005, 0.1, 3)]
)
def test_lead_needed_is_walds(error: float, trial_error: float, lead: int) -> None:
    assert lead_needed(error, trial_error) == lead


def states(rule: Callable[[int], State]) -> Callable[[int], TrialOutcome]:
    return lambda load: TrialOutcome(state=rule(load))


def test_a_saturated_generator_is_told_from_a_saturated_target() -> None:
    found = find_capacity(states(lambda n: "held" if n <= 90 else "saturated"), SearchSettings())
    assert found.limited_by == "generators"
    assert "the generators saturated at" in found.sentence
    assert found.low is not None
    assert 85 <= found.low <= 90


def test_a_target_that_never_breaks_is_bounded_by_most() -> None:
    found = find_capacity(states(lambda _: "held"), SearchSettings(most=100))
    assert (found.low, found.high, found.limited_by) == (100, None, "most")


def test_a_target_that_never_holds() -> None:
    found = find_capacity(states(lambda _: "broke"), SearchSettings(start=8))
    assert (found.low, found.high) == (None, 1)
    assert found.sentence.startswith("below 1 users")


def test_trials_that_disagree_for_ever_are_undecided() -> None:
    count = iter(range(10_000))

    def measure(load: int) -> TrialOutcome:
        if load == 64:
            return TrialOutcome(state="held" if next(count) % 2 else "broke")
        return TrialOutcome(state="held" if load < 64 else "broke")

    found = find_capacity(measure, SearchSettings(resolution_ratio=0.01))
    assert (found.low, found.high) == (63, 64)
    assert "at 64 trials disagree" in found.sentence


def test_unusable_trials_are_repeated_and_then_given_up() -> None:
    once = iter(["unusable"])
    found = find_capacity(
        lambda load: TrialOutcome(state=next(once, "held" if load <= 4 else "broke")),
        SearchSettings(),
    )
    assert found.low == 4
    with pytest.raises(OperationError, match="3 trials in a row at a load of 1 could not be used"):
        find_capacity(states(lambda _: "unusable"), SearchSettings())


def test_a_search_without_end_is_stopped() -> None:
    with pytest.raises(OperationError, match="made 5 trials, which is the maximum"):
        find_capacity(Target(1000), SearchSettings(trials_max=5))


@given(st.integers(1, 3000), st.integers(1, 30))
def test_a_replayed_journal_continues_the_same_search(capacity: int, cut: int) -> None:
    whole = find_capacity(Target(capacity), SearchSettings())
    journal = list(whole.trials[:cut])
    live = Target(capacity)

    def resumed(load: int) -> TrialOutcome:
        if journal:
            trial = journal.pop(0)
            assert trial.load == load
            return trial.outcome
        return live(load)

    assert find_capacity(resumed, SearchSettings()) == whole
    assert len(live.loads) == max(0, len(whole.trials) - cut)


def test_a_search_whose_generators_never_could_says_nothing_about_the_target() -> None:
    found = find_capacity(lambda _: TrialOutcome(state="saturated"), SearchSettings(start=4))
    assert (found.low, found.limited_by) == (None, "generators")
    assert found.sentence.startswith("unknown: the generators saturated at 1 users, so")
