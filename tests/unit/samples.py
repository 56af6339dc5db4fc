"""Snapshots and summaries for tests of pure functions; shaped as the publisher sends them."""

from datetime import UTC, datetime

from loadgen.judging.check import Check, Reason
from loadgen.judging.slo_judge import SloResult
from loadgen.judging.verdict import Verdict
from loadgen.results.summary import ResponseTimes, Summary, WorkerCounts
from loadgen.shared.snapshot import EntryStatistics, ErrorCount, Snapshot, WorkerStatus

START = 1_800_000_000.0


def entry(
    name: str = "/item/[id]",
    method: str = "GET",
    response_times: dict[float, int] | None = None,
    failures: int = 0,
) -> EntryStatistics:
    times = {10.0: 90, 250.0: 10} if response_times is None else response_times
    return EntryStatistics(
        method=method,
        name=name,
        requests=sum(times.values()),
        failures=failures,
        requests_untimed=0,
        response_times=times,
        response_time_total_ms=sum(time * count for time, count in times.items()),
        response_time_min_ms=min(times, default=None),
        response_time_max_ms=max(times, default=0.0),
        response_bytes=0,
    )


def worker(
    index: int = 0,
    cpu_percent: float = 40.0,
    sent: int = 100,
    received: int = 100,
    clock_offset_seconds: float | None = 0.001,
    state: str = "running",
    release: str = "a" * 64,
) -> WorkerStatus:
    return WorkerStatus(
        id=f"node{index}_abc",
        index=index,
        state=state,
        users=1,
        cpu_percent=cpu_percent,
        memory_bytes=50_000_000,
        clock_offset_seconds=clock_offset_seconds,
        requests_sent=sent,
        requests_received=received,
        release=release,
        locust_version="2.47.0",
    )


def snapshot(
    second: float = 1.0,
    entries: list[EntryStatistics] | None = None,
    workers: list[WorkerStatus] | None = None,
    *,
    errors: list[ErrorCount] | None = None,
    final: bool = False,
    epoch: str = "e1",
    users: int = 2,
    workers_lost: int = 0,
) -> Snapshot:
    return Snapshot(
        time=START + second,
        epoch=epoch,
        run_id="20270115-080000",
        locustfile="locustfiles/hello.py",
        host="http://127.0.0.1:1",
        state="running",
        final=final,
        users=users,
        users_target=2,
        workers_expected=len(workers or []),
        workers_lost=workers_lost,
        test_started_at=START,
        test_stopped_at=None,
        master_cpu_percent=10.0,
        master_memory_bytes=60_000_000,
        workers=workers or [],
        entries=entries or [],
        errors=errors or [],
        measured_from=START,
        measured_seconds=second,
    )


def summary(
    verdict: Verdict = "passed", reasons: tuple[str, ...] = (), slos: tuple[SloResult, ...] = ()
) -> Summary:
    return Summary(
        run_id="20270115T080000Z-hello-3f9a",
        verdict=verdict,
        reasons=reasons,
        requests=100,
        failures=0,
        throughput_per_second=10.0,
        response_time_seconds=ResponseTimes(p50=0.01, p95=0.25, p99=0.25, max=0.25),
        workers=WorkerCounts(expected=2, seen=2, lost=0),
        started_at=datetime(2027, 1, 15, 8, 0, tzinfo=UTC),
        ended_at=datetime(2027, 1, 15, 8, 0, 10, tzinfo=UTC),
        versions={"locust": "2.47.0"},
        release_sha256="a" * 64,
        specification={"users": 2, "host": "http://127.0.0.1:1"},
        slos=slos,
    )


def counted(requests: int) -> Snapshot:
    """Return a snapshot of so many requests, all of which one worker sent."""
    entries = [entry(response_times={10.0: requests})]
    return snapshot(requests, entries=entries, workers=[worker(sent=requests)])


def found(check: Check, *snapshots: Snapshot) -> list[Reason]:
    """Return what a check says of snapshots."""
    for item in snapshots:
        check.add(item)
    return check.reasons()
