"""A run's merged statistics as the archive keeps them, in `statistics.json`.

The summary has the conclusions; this has the histograms they came from, for comparison and
evaluators.
"""

from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from loadgen.results.name_windows import NameWindow
from loadgen.results.timeline import Point
from loadgen.shared.errors import UsageError
from loadgen.shared.files import read_regular
from loadgen.shared.snapshot import EntryStatistics, ErrorCount, SecondCount

STATISTICS_FILE = "statistics.json"


@dataclass(frozen=True, slots=True)
class HostCpu:
    """How busy a machine of the target was: (Unix time, share of all its cores, 0 to 1)."""

    host: str
    points: list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Trace:
    """A slow request that began a trace: Unix time of its start, and seconds."""

    trace_id: str
    method: str
    name: str
    started_at: float
    seconds: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """Statistics by method and name over the measured interval, and the interval over time.

    `completed` counts answers in bins of `completed_width` whole seconds, empty ones as zeros.
    """

    entries: list[EntryStatistics]
    points: list[Point]
    names: list[NameWindow] = field(default_factory=list)
    completed: list[SecondCount] = field(default_factory=list)
    completed_width: int = 1
    errors: list[ErrorCount] = field(default_factory=list)
    target_cpu: list[HostCpu] = field(default_factory=list)
    traces: list[Trace] = field(default_factory=list)


def dump_record(record: Record) -> str:
    """Return the file's text."""
    return TypeAdapter(Record).dump_json(record).decode() + "\n"


def load_record(run_directory: Path) -> Record:
    """Read a run's statistics. UsageError when they are missing or not of this format."""
    path = run_directory / STATISTICS_FILE
    try:
        record = TypeAdapter(Record).validate_json(read_regular(path))
    except OSError as error:
        raise UsageError(
            f"{path} can't be read ({error.strerror}): give the directory of a run that was "
            "collected, such as results/latest"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(
            f"{path} can't be used ({first['msg']}): it was changed or cut off, or another release "
            "wrote it; give another run"
        ) from error
    for entry in record.entries:
        counts = (entry.failures, entry.requests - entry.failures, *entry.response_times.values())
        if min(*counts, *entry.response_times, 0) < 0:
            raise UsageError(
                f"{path} can't be used: the counts of {entry.method} {entry.name} contradict each "
                "other, so it was changed; give another run"
            )
    return record
