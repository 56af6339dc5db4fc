"""A snapshot: the whole state of a master at one moment, as its publisher sends it.

One ZeroMQ message is one msgpack map with every field below. Each snapshot is complete, so a lost
one costs a moment and nothing else. Counts start at zero with each `epoch` (a test start, a
statistics reset or a new master process), and grow monotonically within it.
"""

from dataclasses import asdict, dataclass

import msgpack


@dataclass(frozen=True, slots=True)
class EntryStatistics:
    """Merged statistics of one `(method, name)` over all workers since the epoch began.

    `response_times` maps a rounded response time in milliseconds to its count; requests without
    a response time are in `requests` and `requests_untimed`, not in it.
    """

    method: str
    name: str
    requests: int
    failures: int
    requests_untimed: int
    response_times: dict[float, int]
    response_time_total_ms: float
    response_time_min_ms: float | None
    response_time_max_ms: float
    response_bytes: int


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """Occurrences of one error since the epoch began."""

    method: str
    name: str
    error: str
    occurrences: int


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker process as the master sees it.

    `state` is Locust's: ready, spawning, running, missing. `cpu_percent` is Locust's figure (100
    is one core). `clock_offset_seconds` is the worker's clock minus the master's at the arrival
    of its last report, transit included; None before the first. `requests_sent` is the worker's
    own count of requests in this epoch, `requests_received` the master's count of what arrived.
    """

    id: str
    index: int
    state: str
    users: int
    cpu_percent: float
    memory_bytes: int
    clock_offset_seconds: float | None
    requests_sent: int
    requests_received: int
    release: str
    locust_version: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The master at `time` (Unix seconds, the master's clock).

    `state` is Locust's runner state: ready, spawning, running, stopping, stopped. `final` marks
    the snapshot that follows the last statistics of a test. `workers_lost` counts workers that
    went missing or left without being asked since the test began.
    """

    time: float
    epoch: str
    run_id: str
    locustfile: str
    host: str
    state: str
    final: bool
    users: int
    users_target: int
    workers_expected: int
    workers_lost: int
    test_started_at: float | None
    test_stopped_at: float | None
    master_cpu_percent: float
    master_memory_bytes: int
    workers: list[WorkerStatus]
    entries: list[EntryStatistics]
    errors: list[ErrorCount]

    def pack(self) -> bytes:
        """Serialize to one msgpack map."""
        packed: bytes = msgpack.packb(asdict(self))
        return packed


def unpack(message: bytes) -> Snapshot:
    """Read what `Snapshot.pack` wrote. Raises ValueError on anything else."""
    try:
        fields = msgpack.unpackb(message, strict_map_key=False)
        fields["workers"] = [WorkerStatus(**worker) for worker in fields["workers"]]
        fields["entries"] = [EntryStatistics(**entry) for entry in fields["entries"]]
        fields["errors"] = [ErrorCount(**error) for error in fields["errors"]]
        return Snapshot(**fields)
    except (TypeError, KeyError, msgpack.UnpackException, UnicodeDecodeError) as error:
        raise ValueError(f"not a snapshot of this release: {error}") from error
