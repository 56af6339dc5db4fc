"""Snapshots to test with."""

from dataclasses import replace

from loadgen.shared.snapshot import EntryStatistics, ErrorCount, Snapshot, WorkerStatus

ENTRY = EntryStatistics(
    method="GET",
    name="/",
    requests=4,
    failures=1,
    requests_untimed=1,
    response_times={0.4: 1, 12.0: 1, 500.0: 1},
    response_time_total_ms=512.4,
    response_time_min_ms=0.4,
    response_time_max_ms=500.0,
    response_bytes=4096,
)
WORKER = WorkerStatus(
    id="gen1_0123456789abcdef",
    index=0,
    state="running",
    users=5,
    cpu_percent=41.5,
    memory_bytes=80_000_000,
    clock_offset_seconds=-0.002,
    requests_sent=4,
    requests_received=4,
    release="abc",
    locust_version="2.47.0",
)
SNAPSHOT = Snapshot(
    time=1000.0,
    epoch="m1-1",
    run_id="r1",
    locustfile="locustfiles/hello.py",
    host="http://shop.test",
    state="running",
    final=False,
    users=5,
    users_target=5,
    workers_expected=1,
    workers_lost=0,
    test_started_at=990.0,
    test_stopped_at=None,
    master_cpu_percent=2.0,
    master_memory_bytes=90_000_000,
    workers=[WORKER],
    entries=[ENTRY],
    errors=[ErrorCount("GET", "/", "HTTPError('500')", 1)],
    release="abc",
    locust_version="2.47.0",
)


def entry(
    name: str, requests: int, milliseconds: float = 10.0, failures: int = 0
) -> EntryStatistics:
    """Build an entry whose requests all took the same time."""
    return EntryStatistics(
        "GET",
        name,
        requests,
        failures,
        0,
        {milliseconds: requests},
        milliseconds * requests,
        milliseconds,
        milliseconds,
        100 * requests,
    )


def snapshot(
    epoch: str, *entries: EntryStatistics, errors: tuple[ErrorCount, ...] = ()
) -> Snapshot:
    """Build a snapshot of a running test."""
    return replace(SNAPSHOT, epoch=epoch, entries=list(entries), errors=list(errors))
