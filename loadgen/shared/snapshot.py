"""A snapshot: the whole state of a master at one moment, as its publisher sends it.

One ZeroMQ message is one msgpack map with every field of `Snapshot`; workers, entries, errors and
the like are arrays of their fields in the order below. Each snapshot is complete, so a lost one
costs a moment and nothing else. Counts start at zero with each `epoch` (a test start, a statistics
reset or a new master process), and grow monotonically within it.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgpack
from pydantic import AfterValidator, FailFast, Field

from loadgen.shared.run_ids import checked_or_empty

# Locust's states of a runner: users make load, and a test is not over yet.
LOADING = ("spawning", "running")
UNDER_WAY = (*LOADING, "stopping", "cleanup")
EndedBy = Literal["", "run_time", "shape", "web_ui", "request", "workers", "locustfile"]
"""Who ended a test: the clock, the shape, a person in the web UI or by a request to the master, the
workers by leaving, the locustfile; empty while it goes on, and when its process was ended."""
Phase = Literal["warm_up", "measured", "stopping"]
"""Which part of a test a worker's report is about; see `loadgen.node.measured_interval`."""


# What a host sends is untrusted: pydantic applies these limits where a host's snapshot is read.
Whole = Annotated[int, Field(ge=-(2**53), le=2**53)]
Number = Annotated[float, Field(ge=-1e15, le=1e15, allow_inf_nan=False)]
UnixTime = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]
Moment = Annotated[int, Field(ge=0, le=10**11)]
FEW = FailFast()
"""One fault is enough: an account of a million takes gigabytes."""
SNAPSHOT_BYTES_MAX = 32 << 20
"""1,000 names with 355 response times each on 100 workers take 4.4 MB, and 5.6 MB as JSON."""
SNAPSHOT_VALUES_MAX, SNAPSHOT_LISTS_MAX = 1_500_000, 75_000
"""A master keeps a million response times of names at most (`loadgen.node.message_bounds`)."""
TEXT_BYTES_MAX = 1 << 20

TRANSACTION_METHODS = frozenset({"ARRIVAL", "ALARM", "TRANSACTION"})
"""Rows of these methods time what requests make up, which have rows of their own."""


OTHER_ERRORS = "other errors"
"""What errors beyond a bound are counted under, in metrics and in reports."""


@dataclass(frozen=True, slots=True)
class EntryStatistics:
    """Merged statistics of one `(method, name)` over all workers since the epoch began.

    `response_times` maps a rounded response time in milliseconds to its count; requests without
    a response time are in `requests` and `requests_untimed`, not in it.
    """

    method: str
    name: str
    requests: Whole
    failures: Whole
    requests_untimed: Whole
    response_times: Annotated[dict[Number, Whole], FEW]
    response_time_total_ms: Number
    response_time_min_ms: Number | None
    response_time_max_ms: Number
    response_bytes: Whole

    @property
    def is_transaction(self) -> bool:
        """Whether it times what other rows count as requests."""
        return self.method in TRANSACTION_METHODS


def requests_among(entries: Sequence[EntryStatistics]) -> list[EntryStatistics]:
    """Return the rows that count requests, so that none counts twice in a total.

    Transactions are left out, unless there is nothing else.
    """
    return [entry for entry in entries if not entry.is_transaction] or list(entries)


@dataclass(frozen=True, slots=True)
class ErrorCount:
    """Occurrences of one error since the epoch began."""

    method: str
    name: str
    error: str
    occurrences: Whole


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker process as the master sees it.

    `state` is Locust's: ready, spawning, running, missing; stopped in a final snapshot when Locust
    has forgotten the worker and not met it again. `cpu_percent` (100 is one core, used or waited
    for) and `memory_bytes` are the worker's own figures over its last report interval, Locust's
    before the first report. `clock_offset_seconds` is the worker's clock minus the master's at
    the arrival of its last report, transit included; None before the first. `requests_sent` is
    the worker's own count of requests in this epoch, `requests_received` the master's count of
    what arrived. `stalled_seconds` is how long its event loop stood still at most since the report
    before; `requests_cut` how many requests waited for their answer when the test's stop timeout
    was over; `held_up` names its users that did not end then, and where one of them is.
    """

    id: str
    index: Whole
    state: str
    users: Whole
    cpu_percent: Number
    memory_bytes: Whole
    clock_offset_seconds: Number | None
    requests_sent: Whole
    requests_received: Whole
    release: str
    locust_version: str
    stalled_seconds: Number = 0.0
    requests_cut: Whole = 0
    held_up: str = ""


@dataclass(frozen=True, slots=True)
class SecondCount:
    """Requests that were answered in one whole second (Unix, the workers' clocks)."""

    second: Moment
    requests: Whole
    failures: Whole


OUTSIDE_TASKS = "outside of its tasks the locustfile raised "
IN_ON_STOP = "in on_stop the locustfile raised "


BEYOND_BOUNDS = "(beyond the bounds of a worker's key)"
"""The name of the row that has what a master keeps no row of its own for, as it bounds them."""


@dataclass(frozen=True, slots=True)
class ExceptionCount:
    """Occurrences of one exception that left a task, a listener or a shape in this test."""

    error: str
    occurrences: Whole

    @property
    def is_outside_tasks(self) -> bool:
        """Whether outside of its tasks the locustfile raised it: it says so itself."""
        return self.error.startswith(OUTSIDE_TASKS)

    @property
    def is_in_on_stop(self) -> bool:
        """Whether a user that had done its tasks raised it."""
        return self.error.startswith(IN_ON_STOP)


@dataclass(frozen=True, slots=True)
class SloStatus:
    """One SLO so far, in words; `held` and `measured` (in its unit) are None without data."""

    slo: str
    held: bool | None
    measured: Number | None
    limit: Number


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The master at `time` (Unix seconds, the master's clock).

    `state` is Locust's runner state: ready, spawning, running, stopping, stopped. `final` is True
    from the moment that a test's last statistics have arrived until the next test starts.
    `workers_lost` counts workers that went missing or left without being asked since the test
    began. `run_id` is the run's; a test started by hand is named after its start. The load ends at
    `load_stopped_at`, when stopping begins; the test at `test_stopped_at`, when users are gone.
    `workers_unfinished` counts workers that owe a `final` snapshot their last statistics.
    `refused` counts values of the test that workers replaced, by kind (`node/statistics/
    odd_values.py`); `requests_total` is Locust's own total beside its entries.
    `monotonic_seconds` is read with `time`, from a clock that nobody sets.

    The *measured interval* begins at `measured_from`, when the warm-up ends (the test's start
    without one; None before), and lasts `measured_seconds`, to the beginning of the stop.
    `entries` and `errors` hold what was answered in it, `entries_after` what was answered later,
    while users finished. `completed` counts the newest seconds of it, one by one.
    """

    time: UnixTime
    epoch: str
    run_id: Annotated[str, AfterValidator(checked_or_empty)]
    locustfile: str
    host: str
    state: str
    final: bool
    users: Whole
    users_target: Whole
    workers_expected: Whole
    workers_lost: Whole
    test_started_at: UnixTime | None
    test_stopped_at: UnixTime | None
    master_cpu_percent: Number
    master_memory_bytes: Whole
    workers: Annotated[list[WorkerStatus], FEW]
    entries: Annotated[list[EntryStatistics], FEW]
    errors: Annotated[list[ErrorCount], FEW]
    load_stopped_at: UnixTime | None = None
    release: str = ""
    locust_version: str = ""
    slos: Annotated[list[SloStatus], FEW] = field(default_factory=list)
    exceptions: Annotated[list[ExceptionCount], FEW] = field(default_factory=list)
    monotonic_seconds: Number | None = None
    workers_unfinished: Whole = 0
    refused: Annotated[dict[str, Whole], FEW] = field(default_factory=dict)
    requests_total: Whole | None = None
    measured_from: UnixTime | None = None
    measured_seconds: Number = 0.0
    entries_after: Annotated[list[EntryStatistics], FEW] = field(default_factory=list)
    completed: Annotated[list[SecondCount], FEW] = field(default_factory=list)
    ended_by: EndedBy = ""
    exit_code: Whole | None = None
    """What the locustfile has set as `environment.process_exit_code`."""
    parting: bool = False
    """Whether it is the master's last, after which its process ends."""

    @property
    def measured_until(self) -> float | None:
        """The end of what is measured so far (Unix seconds, the master's clock)."""
        return None if self.measured_from is None else self.measured_from + self.measured_seconds

    def pack(self) -> bytes:
        """Serialize to one msgpack map. Copies no map of response times: it runs in the master."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        for name, row_of in _ROWS.items():
            values[name] = [row_of(row) for row in values[name]]
        packed: bytes = msgpack.packb(values)
        return packed


def _row_of(kind: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    return attrgetter(*(one.name for one in fields(kind)))


_KINDS = {
    "workers": WorkerStatus,
    "entries": EntryStatistics,
    "errors": ErrorCount,
    "slos": SloStatus,
    "exceptions": ExceptionCount,
    "entries_after": EntryStatistics,
    "completed": SecondCount,
}
_ROWS = {name: _row_of(kind) for name, kind in _KINDS.items()}


def unpack(message: bytes) -> Snapshot:
    """Read what `Snapshot.pack` wrote. Raises ValueError on anything else."""
    try:
        values = _bounded(message)
        for name, kind in _KINDS.items():
            values[name] = [kind(*row) for row in values[name]]
        return Snapshot(**values)
    except (TypeError, LookupError, ValueError, msgpack.UnpackException) as error:
        raise ValueError(f"this release of loadgen can't read the snapshot: {error}") from error


def as_json(message: bytes) -> bytes:
    """Return what `Snapshot.pack` wrote as a JSON object of its fields by name, in one line.

    ValueError: it is something else. A `Snapshot` is not made: that would copy each value.
    """
    try:
        values = _bounded(message)
        for name, kind in _KINDS.items():
            names = [one.name for one in fields(kind)]
            values[name] = [dict(zip(names, row, strict=True)) for row in values[name]]
        return json.dumps(values, ensure_ascii=False).encode()
    except (TypeError, LookupError, ValueError, msgpack.UnpackException, RecursionError) as error:
        raise ValueError(f"this release of loadgen can't read the snapshot: {error}") from error


def _bounded(message: bytes) -> dict[str, Any]:
    """Read a message with its lists and values counted: a byte of it can become a list."""
    lists, values = SNAPSHOT_LISTS_MAX, SNAPSHOT_VALUES_MAX

    def counted(container: Any) -> Any:  # noqa: ANN401  msgpack's containers hold anything
        nonlocal lists, values
        lists, values = lists - 1, values - len(container)
        if min(lists, values) < 0:
            raise ValueError("it has too many lists or values")
        return container

    most = {"max_array_len": SNAPSHOT_LISTS_MAX, "max_map_len": SNAPSHOT_LISTS_MAX}
    read = msgpack.unpackb(
        message,
        strict_map_key=False,
        object_hook=counted,
        list_hook=counted,
        max_str_len=TEXT_BYTES_MAX,
        max_bin_len=TEXT_BYTES_MAX,
        max_ext_len=0,
        **most,
    )
    if not isinstance(read, dict):
        raise TypeError("it is not a map")
    return read
