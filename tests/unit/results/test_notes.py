from dataclasses import replace

from loadgen.results.notes import notes_of
from loadgen.results.timeline import Timeline
from loadgen.shared.snapshot import EntryStatistics, SecondCount
from loadgen.shared.totals import Totals
from tests.unit.samples import START, entry, snapshot


def played(entries: list[EntryStatistics], users: int, silent: range = range(0)) -> Timeline:
    """A run of 30 s whose users asked at an even pace, but in the seconds that are `silent`."""
    timeline, counts = Timeline(), [
        SecondCount(int(START) + second, 100, 0) for second in range(30) if second not in silent
    ]  # fmt: skip
    end = replace(snapshot(30, entries, users=users, final=True), completed=counts)
    timeline.add(end, Totals.over_all(end))
    return timeline


def test_a_closed_run_whose_target_stood_still_says_so_with_corrected_percentiles() -> None:
    # 10 users, 10 ms each, and once 5 s: p99 says 11 ms.
    rows = [entry("/", response_times={10.0: 20_000, 11.0: 5000, 5000.0: 10})]
    (note,) = notes_of(rows, played(rows, 10, range(12, 17)), 30.0)
    assert "from 08:00:12 UTC no request was answered for 5 s" in note
    assert "p99 11 ms -> 4." in note
    assert "To measure this without correction, use an open model" in note


def test_a_steady_run_has_no_note() -> None:
    rows = [entry("/", response_times={10.0: 20_000, 12.0: 9000, 40.0: 300})]
    assert notes_of(rows, played(rows, 10), 30.0) == []


def test_an_open_run_needs_no_correction() -> None:
    rows = [
        entry("/", response_times={10.0: 25_000, 5000.0: 10}),
        entry("arrival", "ARRIVAL", {10.0: 20_000, 5000.0: 5000}),
    ]
    assert notes_of(rows, played(rows, 10, range(12, 17)), 30.0) == []


def test_users_who_wait_longer_than_the_stall_lose_nothing() -> None:
    rows = [entry("/", response_times={10.0: 300, 5000.0: 2})]
    assert notes_of(rows, played(rows, 100), 30.0) == []
