from dataclasses import replace

import pytest

from loadgen.judging.check import Reason
from loadgen.judging.validity import Validity, default_checks
from loadgen.shared.snapshot import ErrorCount, Snapshot
from tests.unit.samples import entry, snapshot, worker


def found(snapshots: list[Snapshot], rate: float | None = None) -> list[Reason]:
    validity = Validity(default_checks(arrival_rate_per_second=rate))
    for item in snapshots:
        validity.add(item)
    return validity.reasons()


def only(reasons: list[Reason], kind: str) -> str:
    assert [reason.kind for reason in reasons] == [kind]
    return reasons[0].sentence


def cpu(percents: list[float]) -> list[Snapshot]:
    return [snapshot(s, workers=[worker(cpu_percent=p)]) for s, p in enumerate(percents, 1)]


def test_a_sound_run_has_no_reason() -> None:
    assert found([*cpu([40, 50, 60]), snapshot(4, workers=[worker()], final=True)]) == []


def test_a_saturated_generator_says_when_where_and_how_much() -> None:
    sentence = only(found(cpu([50, 95, 99, 97, 94, 50])), "generator_cpu")
    assert "from 08:00:01 UTC worker node0_abc used 99 % of its core for 4 s" in sentence


@pytest.mark.parametrize("percents", [[99.0, 99.0, 50.0], [99.0, 50.0] * 5, [90.0] * 9])
def test_a_short_peak_is_no_saturation(percents: list[float]) -> None:
    assert found(cpu(percents)) == []


def test_a_saturated_master_counts_too() -> None:
    busy = [replace(snapshot(s, workers=[worker()]), master_cpu_percent=96) for s in (1, 2, 3, 4)]
    assert "the master used 96 %" in only(found(busy), "generator_cpu")


def test_a_lost_worker_is_named() -> None:
    before = snapshot(1, workers=[worker(0), worker(1)])
    after = snapshot(2, workers=[worker(0), worker(1, state="missing")], workers_lost=1)
    sentence = only(found([before, after, replace(after, time=after.time + 1)]), "lost_worker")
    assert "at 08:00:02 UTC 1 worker was lost (node1_abc)" in sentence


def test_lost_samples_are_counted_at_the_end_only() -> None:
    late = [worker(sent=120, received=100)]
    assert found([snapshot(1, workers=late)]) == []
    sentence = only(found([snapshot(2, workers=late, final=True)]), "lost_samples")
    assert "received 100 requests of worker node0_abc, but that worker counted 120" in sentence
    assert "they differ by 20" in sentence


@pytest.mark.parametrize(("offset", "word"), [(2.0, "ahead of"), (-2.0, "behind")])
def test_a_clock_apart_is_named(offset: float, word: str) -> None:
    workers = [worker(0), worker(1, clock_offset_seconds=offset)]
    sentence = only(found([snapshot(s, workers=workers) for s in range(1, 7)]), "clock_offset")
    assert f"the clock of worker node1_abc was 2 s {word} the master's" in sentence


def test_one_late_report_is_no_clock_offset() -> None:
    offsets = [0.0, 0.0, 0.0, -3.0, 0.0, 0.0, 0.0]
    snapshots = [
        snapshot(s, workers=[worker(clock_offset_seconds=offset)])
        for s, offset in enumerate(offsets, 1)
    ]
    assert found(snapshots) == []


def test_another_release_is_named() -> None:
    workers = [worker(0), worker(1, release="b" * 64)]
    sentence = only(found([snapshot(1, workers=workers)] * 2), "mismatch")
    assert f"worker node1_abc ran release {'b' * 12}, but every node has to run" in sentence


def test_a_worker_that_is_joining_breaks_no_rule_before_it_has_users_and_has_reported() -> None:
    joining = replace(worker(1, cpu_percent=100, sent=0, received=0, release=""), users=0)
    moments = [snapshot(n, workers=[worker(0), joining]) for n in range(1, 6)]
    assert found(moments) == []
    busy = [replace(one, workers=[replace(joining, users=3)]) for one in moments]
    assert "generator_cpu" in {reason.kind for reason in found(busy)}


@pytest.mark.parametrize(
    ("error", "what"),
    [
        ("OSError(99, 'Cannot assign requested address')", "local ports"),
        ("OSError(24, 'Too many open files')", "file descriptors"),
    ],
)
def test_exhaustion_is_told_from_the_targets_failures(error: str, what: str) -> None:
    errors = [ErrorCount("GET", "/", error, 12), ErrorCount("GET", "/", "HTTP 503", 5)]
    sentence = only(found([snapshot(1, errors=errors)]), "exhausted")
    assert f"ran out of {what}: 12 requests (GET /) failed before they reached" in sentence


def arrivals(sent: int, dropped: int = 0, method: str = "ARRIVAL") -> list[Snapshot]:
    rows = [entry("Alarms", method, {1.0: sent + dropped}, failures=dropped)]
    if method == "ARRIVAL":
        rows.append(entry("/", "POST", {1.0: 3 * sent}))
    lost = ErrorCount(
        method, "Alarms", "RuntimeError('not sent: 1000 arrivals were in progress')", dropped
    )
    end = snapshot(60, rows, errors=[lost] if dropped else [], final=True)
    return [snapshot(30, rows[:0]), replace(end, state="stopped", test_stopped_at=end.time)]


def test_an_arrival_rate_not_reached_says_by_how_much() -> None:
    sentence = only(found(arrivals(27_000), 500), "arrival_rate")
    assert "in the 60 s before 08:01:00 UTC, 27,000 requests were sent. That is 450/s" in sentence


def test_arrivals_that_were_not_sent_are_named() -> None:
    sentence = only(found(arrivals(29_700, 300), 500), "arrival_rate")
    assert "from 08:01:00 UTC 300 arrivals were not sent" in sentence


def test_arrivals_that_were_not_sent_do_not_count_as_sent() -> None:
    reasons = found(arrivals(27_000, 3_000), 500)
    assert [reason.kind for reason in reasons] == ["arrival_rate", "arrival_rate"]
    assert any("27,000 requests were sent" in reason.sentence for reason in reasons)


def test_an_arrival_rate_that_was_reached_is_no_reason() -> None:
    assert found(arrivals(29_500), 500) == []
    assert found(arrivals(29_500, method="GET"), 500) == []
    assert found(arrivals(45), 1) == []


def test_reasons_come_in_order_of_time() -> None:
    late = snapshot(9, workers=[worker(sent=1, received=0)], final=True)
    assert [r.kind for r in found([*cpu([99] * 4), late])] == ["generator_cpu", "lost_samples"]


def test_idle_time_is_not_judged() -> None:
    idle = [replace(item, test_started_at=None) for item in cpu([99] * 9)]
    assert found(idle) == []
