from hypothesis import given
from hypothesis import strategies as st

from loadgen.results.timeline import Timeline, regroup
from loadgen.shared.histograms import merge
from loadgen.shared.snapshot import Snapshot
from loadgen.shared.totals import Totals
from tests.unit.samples import START, entry, snapshot


def add(timeline: Timeline, one: Snapshot) -> None:
    timeline.add(one, Totals.over_all(one))


def fed(counts: list[int], points_max: int = 1200) -> Timeline:
    timeline, sent = Timeline(points_max), 0
    for second, count in enumerate(counts, 1):
        sent += count
        add(timeline, snapshot(second, [entry(response_times={5.0: sent})]))
    return timeline


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.integers(1, 20))
def test_points_lose_nothing_however_they_are_joined(counts: list[int], limit: int) -> None:
    timeline = fed(counts, limit)
    assert len(timeline.points) <= limit + 1
    assert sum(point.requests for point in timeline.points) == sum(counts)
    assert sum(merge(p.response_times for p in timeline.points).values()) == sum(counts)
    assert sum(point.seconds for point in timeline.points) == len(counts)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.sampled_from([1, 2, 5, 10]))
def test_regroup_keeps_every_request(counts: list[int], seconds: int) -> None:
    windows = regroup(fed(counts).points, seconds)
    assert sum(window.requests for window in windows) == sum(counts)
    assert len(windows) == -(-len(counts) // seconds)


def test_point_holds_the_gain_since_the_snapshot_before() -> None:
    point = fed([3, 4]).points[1]
    assert (point.time, point.seconds, point.requests) == (START + 2, 1, 4)
    assert point.response_times == {5.0: 4}


def test_a_new_epoch_starts_again() -> None:
    timeline = fed([3, 4])
    add(timeline, snapshot(3, [entry(response_times={5.0: 1})], epoch="e2"))
    assert [point.requests for point in timeline.points] == [1]


def test_nothing_is_added_after_the_final_snapshot() -> None:
    timeline = Timeline()
    for second, final in ((1, True), (2, False)):
        add(timeline, snapshot(second, [entry()], final=final))
    assert len(timeline.points) == 1


def test_regroup_of_nothing_is_nothing() -> None:
    assert regroup([], 10) == []
