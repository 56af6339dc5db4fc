from loadgen.node.statistics.worker_ledger import WorkerLedger


def report(
    test: int, requests: int, *, final: bool = False, clock: float = 10.0
) -> dict[str, object]:
    return {
        "test": test,
        "sequence": 1,
        "requests": requests,
        "final": final,
        "clock": clock,
        "cpu_percent": 50.0,
        "memory_bytes": 1,
        "release": "r",
        "locust_version": "2.47.0",
        "stalled_seconds": 0.0,
        "requests_cut": 0,
        "phase": "measured",
        "measured_seconds": 0.0,
    }


def message(arriving: int, **loadgen: object) -> dict[str, object]:
    return {"stats_total": {"num_requests": arriving}, "loadgen": report(**loadgen)}  # type: ignore[arg-type]


def test_a_message_that_never_arrived_shows_as_sent_but_not_received() -> None:
    ledger = WorkerLedger()
    ledger.receive("w", message(10, test=1, requests=10), 10.0)
    ledger.receive("w", message(5, test=1, requests=22), 10.0)
    assert (ledger.record("w").sent, ledger.record("w").received) == (22, 15)


def test_a_reset_starts_both_counts_again() -> None:
    ledger = WorkerLedger()
    ledger.receive("w", message(10, test=1, requests=10), 10.0)
    ledger.begin_epoch()
    ledger.receive("w", message(7, test=1, requests=17), 10.0)
    assert (ledger.record("w").sent, ledger.record("w").received) == (7, 7)


def test_a_new_test_on_the_worker_starts_its_count_from_zero() -> None:
    ledger = WorkerLedger()
    ledger.receive("w", message(10, test=1, requests=10), 10.0)
    ledger.begin_epoch()
    ledger.receive("w", message(0, test=1, requests=10), 10.0)
    ledger.receive("w", message(4, test=2, requests=4), 10.0)
    assert (ledger.record("w").sent, ledger.record("w").received) == (4, 4)


def test_clock_offset_is_the_workers_clock_minus_the_masters() -> None:
    ledger = WorkerLedger()
    ledger.receive("w", message(0, test=1, requests=0, clock=12.5), 10.0)
    assert ledger.record("w").clock_offset_seconds == 2.5


def test_missing_and_departed_workers_are_lost_while_the_test_runs() -> None:
    ledger = WorkerLedger()
    ledger.begin_test({"a": "ready", "b": "ready", "c": "ready", "old": "missing"})
    ledger.observe({"a": "running", "b": "missing"}, running=True)
    assert ledger.lost == {"b", "c"}


def test_a_worker_that_leaves_when_asked_is_not_lost() -> None:
    ledger = WorkerLedger()
    ledger.begin_test({"a": "ready", "b": "ready"})
    ledger.observe({"a": "running", "b": "running"}, running=True)
    ledger.observe({"a": "missing"}, running=False)
    assert ledger.lost == {"a"}


def test_a_worker_that_joined_late_counts_when_it_is_lost() -> None:
    ledger = WorkerLedger()
    ledger.begin_test({"a": "ready"})
    ledger.observe({"a": "running", "late": "running"}, running=True)
    ledger.observe({"a": "running"}, running=True)
    assert ledger.lost == {"late"}


def test_closed_waits_for_every_workers_last_statistics() -> None:
    ledger = WorkerLedger()
    ledger.begin_test({"a": "ready", "b": "ready", "c": "ready"})
    ledger.observe({"a": "running", "b": "running", "c": "missing"}, running=True)
    ledger.receive("a", message(1, test=1, requests=1, final=True), 10.0)
    assert not ledger.closed()
    ledger.receive("b", message(1, test=1, requests=1, final=True), 10.0)
    assert ledger.closed()


def test_a_new_test_forgets_what_was_lost_and_closed() -> None:
    ledger = WorkerLedger()
    ledger.begin_test({"a": "ready", "b": "ready"})
    ledger.receive("a", message(1, test=1, requests=1, final=True), 10.0)
    ledger.observe({"a": "running"}, running=True)
    ledger.begin_test({"a": "ready"})
    assert not ledger.lost
    assert not ledger.closed()


def test_a_worker_that_sent_its_last_statistics_before_it_left_is_not_lost() -> None:
    ledger = WorkerLedger()
    ledger.begin_test({"a": "ready", "b": "ready"})
    ledger.receive("b", message(5, test=1, requests=5, final=True), 10.0)
    ledger.observe({"a": "running"}, running=True)
    assert not ledger.lost
