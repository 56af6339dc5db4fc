import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from loadgen.judging.slo_judge import Judge, SloResult, all_held
from loadgen.shared.snapshot import EntryStatistics, Snapshot
from loadgen.specification.slo import Slo
from tests.unit.samples import entry, snapshot


def slo(measure: str = "p95_seconds", **fields: object) -> Slo:
    limits = {} if "at_least" in fields else {"at_most": 0.1}
    return Slo.model_validate({"measure": measure, **limits, **fields})


def run(seconds: list[list[EntryStatistics]], step: float = 1.0) -> list[Snapshot]:
    last = len(seconds)
    return [snapshot(i * step, e, final=i == last) for i, e in enumerate(seconds, 1)]


def judged(slo: Slo, snapshots: list[Snapshot], **tags: tuple[str, ...]) -> list[SloResult]:
    judge = Judge([slo], tags)
    for item in snapshots:
        judge.add(item)
    return list(judge.results())


def growing(
    per_second: list[dict[float, int]], name: str = "/", failures: int = 0
) -> list[list[EntryStatistics]]:
    total: dict[float, int] = {}
    states = []
    for gained in per_second:
        for time, count in gained.items():
            total[time] = total.get(time, 0) + count
        states.append([entry(name, response_times=dict(total), failures=failures)])
    return states


@pytest.mark.parametrize(
    ("measure", "measured"),
    [
        ("p50_seconds", 0.01),
        ("p95_seconds", 0.25),
        ("average_seconds", 0.034),
        ("maximum_seconds", 0.25),
        ("failure_ratio", 0.07),
        ("throughput_per_second", 25.0),
    ],
)
def test_each_measure_over_the_whole_run(measure: str, measured: float) -> None:
    states = [[entry(failures=7)]] * 4
    assert judged(slo(measure), run(states))[0].measured == pytest.approx(measured)


def test_limits_are_inclusive_and_have_a_direction() -> None:
    assert slo(at_most=2).holds(2)
    assert not slo(at_most=2).holds(2.001)
    assert slo("throughput_per_second", at_least=5).holds(5)
    assert not slo("throughput_per_second", at_least=5).holds(4.9)


def test_a_short_burst_breaks_a_window_but_not_the_whole_run() -> None:
    calm, burst = {10.0: 100}, {900.0: 100}
    snapshots = run(growing([calm] * 40 + [burst] * 2 + [calm] * 40))
    assert judged(slo(), snapshots)[0].held is True
    result = judged(slo(window_seconds=5), snapshots)[0]
    assert result.held is False
    assert result.measured == 0.9
    assert "in the 5 s to 08:00:41 UTC" in result.sentence


def test_a_window_as_long_as_the_run_is_judged_when_it_is_over() -> None:
    loading = run(growing([{10.0: 5}] * 19 + [{10.0: 10}]))
    last = loading[-1]
    rule = slo("throughput_per_second", at_least=4, window_seconds=20)
    result = judged(rule, [*loading, last, last])[0]
    assert result.measured == pytest.approx(105 / 20)
    assert "UTC, the only window; at least 4/s is required" in result.sentence


@given(st.lists(st.integers(0, 20), min_size=12, max_size=40), st.integers(2, 6))
def test_windowed_failure_ratio_is_the_worst_of_all_windows(counts: list[int], size: int) -> None:
    total, failed, snapshots = 0, 0, []
    for second, failures in enumerate(counts, 1):
        total, failed = total + 20, failed + failures
        snapshots.append(snapshot(second, [entry(response_times={1.0: total}, failures=failed)]))
    windows = [sum(counts[i : i + size]) / (20 * size) for i in range(len(counts) - size + 1)]
    result = judged(slo("failure_ratio", window_seconds=size), snapshots)[0]
    assert result.measured is not None
    assert math.isclose(result.measured, max(windows))


def test_failures_of_one_name_do_not_hide_in_the_total() -> None:
    entries = [
        entry("/a", response_times={1.0: 1000}),
        entry("/c", response_times={1.0: 1000}, failures=3),
        entry("/b", "POST", {1.0: 10}, failures=5),
    ]
    total = judged(slo("failure_ratio", at_most=0.01), run([entries]))
    each = judged(slo("failure_ratio", at_most=0.01, each_name=True), run([entries]))
    assert all_held(total)
    assert [(r.name, r.held) for r in each] == [(None, True), ("/b", False)]
    assert "failure ratio of GET /c was 0.3 %" in each[0].sentence
    assert "1 other name is at least as far from the limit" in each[0].sentence


def test_names_match_by_method_star_and_tag() -> None:
    item, login = entry("/item/[id]"), entry("/login", "POST")
    tags = {"write": ("/log*",)}
    assert slo(name="/item/[id]").matches(item, {})
    assert slo(name="/item/*").matches(item, {})
    assert not slo(name="/item/i").matches(item, {})
    assert not slo(method="POST").matches(item, {})
    assert slo(tag="write").matches(login, tags)
    assert not slo(tag="write").matches(item, tags)


def test_an_slo_that_found_nothing_did_not_hold() -> None:
    results = judged(slo(name="/typo"), run([[entry()]]))
    assert results[0].held is None
    assert not all_held(results)
    assert "no request matched; there were GET /item/[id]" in results[0].sentence


def test_an_slo_that_needs_more_time_than_there_was_says_so() -> None:
    results = judged(slo(after_seconds=60), run([[entry()]]))
    assert "it needs 60 s (after_seconds and window_seconds), and 1 s were measured" in (
        results[0].sentence
    )


def test_a_sentence_names_the_time_it_speaks_of() -> None:
    snapshots = run(growing([{10.0: 5}] * 9))
    assert "in the 9 s from 08:00:00 UTC to 08:00:09 UTC" in judged(slo(), snapshots)[0].sentence
    late = judged(slo(after_seconds=4), snapshots)[0].sentence
    assert "in the 5 s from 08:00:04 UTC to 08:00:09 UTC" in late


def test_a_name_without_a_request_in_the_interval_is_not_judged_by_itself() -> None:
    never = replace(entry("/login", response_times={}), requests=0)
    rule = slo(each_name=True, at_most=1)
    assert [r.held for r in judged(rule, run([[never, entry("/a")]] * 3))] == [True]
    early = [
        [entry("/login"), entry("/a")],
        *[[entry("/login"), *e] for e in growing([{1.0: 500}] * 5, "/a")],
    ]
    late = slo(each_name=True, at_most=1, after_seconds=2)
    assert [r.held for r in judged(late, run(early))] == [True]


def test_a_transaction_counts_nothing_again() -> None:
    rows = [entry("/alarm", "POST"), entry("arrival", "ARRIVAL", {5000.0: 100})]
    states = run([rows] * 4)
    assert judged(slo("throughput_per_second", at_least=1), states)[0].measured == 25
    assert judged(slo("maximum_seconds", at_most=9), states)[0].measured == 0.25
    assert judged(slo("maximum_seconds", at_most=9, method="ARRIVAL"), states)[0].measured == 5
    alone = run([rows[1:]] * 4)
    assert judged(slo("throughput_per_second", at_least=1), alone)[0].measured == 25


def test_what_is_answered_after_the_stop_changes_no_measure() -> None:
    rule = slo("throughput_per_second", at_least=40)
    loaded = [snapshot(s, [entry(response_times={1.0: 50 * s})]) for s in range(1, 8)]
    end = snapshot(9, [entry(response_times={1.0: 350})], final=True)
    stopped = replace(end, measured_seconds=7.0, entries_after=[entry(response_times={9e3: 70})])
    assert judged(rule, [*loaded, stopped])[0].measured == 50


def test_the_first_seconds_are_left_out_when_asked() -> None:
    snapshots = run(growing([{900.0: 100}] * 3 + [{10.0: 100}] * 5))
    assert judged(slo(), snapshots)[0].held is False
    assert judged(slo(after_seconds=3), snapshots)[0].held is True
    assert judged(slo(after_seconds=3, window_seconds=2), snapshots)[0].held is True


def test_throughput_falls_to_zero_in_a_silent_window() -> None:
    snapshots = run(growing([{10.0: 50}] * 4 + [{}] * 5))
    result = judged(slo("throughput_per_second", at_least=40, window_seconds=3), snapshots)[0]
    assert (result.held, result.measured) == (False, 0)


def test_a_name_that_appears_late_is_measured_from_then() -> None:
    states = [[entry("/a")]] * 20 + [[entry("/a"), entry("/b", response_times={1.0: 30})]] * 6
    rule = slo("throughput_per_second", at_least=5, each_name=True, window_seconds=3, name="/b")
    assert judged(rule, run(states))[0].measured == 0


def test_windows_end_with_the_load() -> None:
    busy = [snapshot(s, [entry(response_times={1.0: 50 * s})]) for s in range(1, 8)]
    stopping = [snapshot(7 + s, [entry(response_times={1.0: 350})], final=True) for s in (1, 2, 3)]
    rule = slo("throughput_per_second", at_least=40, window_seconds=3)
    assert judged(rule, busy + stopping)[0].held is True


def test_abort_names_the_window_that_broke() -> None:
    judge = Judge([slo(window_seconds=2, abort=True), slo(window_seconds=2)])
    for item in run(growing([{10.0: 5}] * 4)):
        judge.add(item)
    assert judge.abort_reason is None
    judge.add(snapshot(5, [entry("/", response_times={10.0: 20, 800.0: 20})]))
    assert judge.abort_reason is not None
    assert "p95 of all requests was 800 ms in the 2 s to" in judge.abort_reason


def test_a_new_epoch_forgets_the_warm_up() -> None:
    judge = Judge([slo()])
    judge.add(snapshot(1, [entry(response_times={900.0: 10})]))
    judge.add(snapshot(2, [entry(response_times={10.0: 10})], epoch="e2"))
    assert judge.results()[0].held is True


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"measure": "p95"}, "give p50_seconds"),
        ({"measure": "p95_seconds"}, "exactly one of at_most and at_least"),
        ({"measure": "p95_seconds", "at_most": 1, "abort": True}, "abort needs window_seconds"),
        (
            {"measure": "p95_seconds", "at_most": 1, "name": "/", "tag": "x"},
            "either a name or a tag",
        ),
        ({"measure": "p95_seconds", "at_most": -1}, "greater than or equal to 0"),
        ({"measure": "failure_ratio", "at_most": 5}, "for 5 % give 0.05"),
    ],
)
def test_a_wrong_slo_says_its_rule(fields: dict[str, object], rule: str) -> None:
    with pytest.raises(ValidationError, match=rule):
        Slo.model_validate(fields)
