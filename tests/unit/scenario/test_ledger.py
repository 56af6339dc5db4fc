"""Who holds what: nothing is in two hands, and what is lost comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadgen.scenario.ledger import Ledger


def test_ledger_hands_out_each_item_once_and_then_none() -> None:
    ledger = Ledger(["ana", "ben"])
    first, second = ledger.take("w1"), ledger.take("w2")
    assert first is not None
    assert second is not None
    assert {first.item, second.item} == {"ana", "ben"}
    assert ledger.take("w1") is None
    ledger.give_back(first.number)
    third = ledger.take("w2")
    assert third is not None
    assert third.item == first.item


def test_ledger_takes_back_what_lost_workers_held() -> None:
    ledger = Ledger(["ana", "ben"])
    ledger.take("lost")
    ledger.take("present")
    ledger.reclaim({"present"})
    taken = ledger.take("present")
    assert taken is not None
    assert taken.item == "ana"
    assert ledger.take("present") is None


def test_ledger_hands_out_no_refused_item_again_until_the_next_test() -> None:
    ledger = Ledger(["ana"])
    refused = ledger.take("w1")
    assert refused is not None
    ledger.retire(refused.number)
    ledger.give_back(refused.number)
    assert ledger.take("w2") is None
    ledger.reset()
    assert ledger.take("w2") is not None


def test_late_return_from_before_a_reset_frees_nothing() -> None:
    ledger = Ledger(["ana"])
    before = ledger.take("w1")
    assert before is not None
    ledger.reset()
    assert ledger.take("w1") is not None
    ledger.give_back(before.number)
    assert ledger.take("w2") is None


@given(st.lists(st.tuples(st.sampled_from(["take", "give", "reclaim"]), st.integers(0, 3))))
def test_no_item_is_ever_in_two_hands(steps: list[tuple[str, int]]) -> None:
    ledger = Ledger([f"user{number}" for number in range(4)])
    held: dict[int, tuple[str, str]] = {}
    for step, number in steps:
        worker = f"w{number}"
        if step == "take" and (item := ledger.take(worker)):
            assert item.item not in [name for _, name in held.values()]
            held[item.number] = (worker, item.item)
        elif step == "give" and held:
            grant = sorted(held)[number % len(held)]
            ledger.give_back(grant)
            del held[grant]
        elif step == "reclaim":
            present = {worker}
            ledger.reclaim(present)
            held = {grant: entry for grant, entry in held.items() if entry[0] in present}


@pytest.mark.parametrize(
    ("policy", "taken"), [("once", ["a", "b", None]), ("round_robin", ["a", "b", "a"])]
)
def test_rows_go_once_or_in_turn(policy: str, taken: list[str | None]) -> None:
    ledger = Ledger(["a", "b"], policy)  # type: ignore[arg-type]
    grants = [ledger.take("w1") for _ in taken]
    assert [grant and grant.item for grant in grants] == taken
    ledger.reclaim(set())
    assert (ledger.take("w2") is None) == (policy == "once")
