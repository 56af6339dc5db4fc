from exporter.totals import Fold, Limits, Sums
from loadgen.shared.snapshot import OTHER_ERRORS, ErrorCount
from tests.unit.exporter.samples import entry, snapshot

HOME = ("GET", "/")


def test_counts_go_on_over_tests_and_masters() -> None:
    fold = Fold(Limits())
    seen = []
    for epoch, requests in [("m1-1", 10), ("m1-1", 25), ("m1-2", 3), ("m2-1", 1)]:
        fold.update(snapshot(epoch, entry("/", requests)))
        seen.append(fold.current()[HOME].requests)
    assert seen == [10, 25, 28, 29]


def test_a_name_that_a_later_test_does_not_use_keeps_its_count() -> None:
    fold = Fold(Limits())
    fold.update(snapshot("m1-1", entry("/", 10)))
    fold.update(snapshot("m1-2", entry("/cart", 2)))
    assert {key: totals.requests for key, totals in fold.current().items()} == {
        HOME: 10,
        ("GET", "/cart"): 2,
    }


def test_an_exporter_restarted_in_the_same_epoch_goes_on_counting() -> None:
    before = Fold(Limits())
    before.update(snapshot("m1-1", entry("/", 10)))
    before.update(snapshot("m1-2", entry("/", 3)))
    after = Fold(Limits())
    after.restore(before.epoch, before.base)
    after.update(snapshot("m1-2", entry("/", 4)))
    assert after.current()[HOME].requests == 14


def test_an_exporter_restarted_in_another_epoch_starts_from_zero() -> None:
    after = Fold(Limits())
    after.restore("m1-1", {HOME: Sums(requests=10)})
    after.update(snapshot("m1-7", entry("/", 4)))
    assert after.current()[HOME].requests == 4


def test_names_over_the_limit_share_one_series_that_says_so() -> None:
    fold = Fold(Limits(names=2))
    fold.update(snapshot("m1-1", *(entry(f"/{number}", 1) for number in range(5))))
    sums = fold.current()
    assert sums["", "other names (over the limit of 2)"].requests == 3
    assert len(sums) == 3
    assert fold.names_over_limit == 3


def test_names_of_earlier_tests_make_room() -> None:
    fold = Fold(Limits(names=2))
    fold.update(snapshot("m1-1", entry("/a", 1), entry("/b", 1)))
    fold.update(snapshot("m1-2", entry("/b", 1), entry("/c", 1)))
    assert {key[1]: totals.requests for key, totals in fold.current().items()} == {"/b": 2, "/c": 1}


def test_long_labels_are_clipped_and_merged() -> None:
    fold = Fold(Limits(label_characters=4))
    fold.update(snapshot("m1-1", entry("/aaaa", 1), entry("/aaab", 2)))
    assert fold.current()["GET", "/aa…"].requests == 3


def test_errors_over_the_limit_and_unsent_ones_are_other_errors() -> None:
    fold = Fold(Limits(errors_per_name=1))
    errors = (ErrorCount("GET", "/", "first", 2), ErrorCount("GET", "/", "second", 3))
    fold.update(snapshot("m1-1", entry("/", 10, failures=6), errors=errors))
    assert fold.current()[HOME].errors_named == {"first": 2, OTHER_ERRORS: 4}


def test_errors_add_up_over_tests() -> None:
    fold = Fold(Limits())
    error = (ErrorCount("GET", "/", "refused", 2),)
    fold.update(snapshot("m1-1", entry("/", 10, failures=2), errors=error))
    fold.update(snapshot("m1-2", entry("/", 10, failures=2), errors=error))
    assert fold.current()[HOME].errors_named == {"refused": 4}


def test_an_exporter_of_the_next_run_goes_on_where_the_last_one_left() -> None:
    before = Fold(Limits())
    before.update(snapshot("m1-1", entry("/", 10)))
    before.update(snapshot("m1-2", entry("/", 3)))
    after = Fold(Limits())
    after.restore(before.epoch, before.base, before.current())
    assert after.current()[HOME].requests == 13
    after.update(snapshot("m2-1", entry("/", 4)))
    assert after.current()[HOME].requests == 17


def test_an_exporter_that_was_ended_in_a_test_counts_it_once() -> None:
    before = Fold(Limits())
    before.update(snapshot("m1-1", entry("/", 10)))
    after = Fold(Limits())
    after.restore(before.epoch, before.base, before.current())
    after.update(snapshot("m1-1", entry("/", 12)))
    assert after.current()[HOME].requests == 12
