from loadgen.node.statistics.load_test import FINAL_REPORT_SECONDS, LoadTest

WORKERS = {"a": "ready", "b": "ready", "c": "missing"}


def report(*, final: bool) -> dict[str, object]:
    own: dict[str, object] = dict.fromkeys(
        ("test", "requests", "clock", "cpu_percent", "memory_bytes"), 1
    )
    own |= {"final": final, "stalled_seconds": 0.0, "requests_cut": 0}
    own |= {"release": "r", "locust_version": "2", "measured_seconds": 0.0}
    return {"stats_total": {"num_requests": 1}, "loadgen": own}


def begun() -> LoadTest:
    test = LoadTest()
    test.begin(WORKERS, 100.0)
    return test


def test_a_test_is_final_once_every_worker_has_sent_its_last_statistics() -> None:
    test = begun()
    assert test.workers_at_start == 2
    test.end(160.0, 0.0, stop_timeout=2.0)
    assert not test.final
    test.ledger.receive("a", report(final=True), 160.0)
    assert not test.settle(1.0)
    test.ledger.receive("b", report(final=True), 160.0)
    assert test.settle(1.0)
    assert test.final
    assert not test.settle(1.0)


def test_last_statistics_are_not_waited_for_for_ever() -> None:
    test = begun()
    test.end(160.0, 0.0, stop_timeout=2.0)
    assert not test.settle(2.0 + FINAL_REPORT_SECONDS)
    assert test.settle(2.1 + FINAL_REPORT_SECONDS)


def test_another_test_or_a_reset_begins_another_epoch() -> None:
    test = begun()
    before = test.epoch
    test.begin_epoch()
    assert test.epoch != before
    test.begin(WORKERS, 200.0)
    assert (test.started_at, test.final, test.stopped_at) == (200.0, False, None)


def test_a_master_that_quits_is_final_when_it_had_a_test() -> None:
    idle, busy = LoadTest(), begun()
    idle.close()
    busy.close()
    assert (idle.final, busy.final) == (False, True)
