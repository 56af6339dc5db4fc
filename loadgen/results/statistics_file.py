"""A run's merged statistics as the archive keeps them, in `statistics.json`.

The summary has the conclusions; this has the histograms they came from, for comparison and
evaluators.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import TypeAdapter, ValidationError

from loadgen.results.name_windows import NameWindow
from loadgen.results.timeline import Point
from loadgen.shared.errors import UsageError
from loadgen.shared.files import read_document
from loadgen.shared.snapshot import FEW, EntryStatistics, ErrorCount, SecondCount

STATISTICS_FILE = "statistics.json"
VALUES_MAX = 3_000_000
"""A master keeps a million response times of names; 1,200 points have 355 each."""


@dataclass(frozen=True, slots=True)
class HostCpu:
    """How busy a machine of the target was: (Unix time, share of all its cores, 0 to 1)."""

    host: str
    points: Annotated[list[tuple[float, float]], FEW]


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

    entries: Annotated[list[EntryStatistics], FEW]
    points: Annotated[list[Point], FEW]
    names: Annotated[list[NameWindow], FEW] = field(default_factory=list)
    completed: Annotated[list[SecondCount], FEW] = field(default_factory=list)
    completed_width: int = 1
    errors: Annotated[list[ErrorCount], FEW] = field(default_factory=list)
    target_cpu: Annotated[list[HostCpu], FEW] = field(default_factory=list)
    traces: Annotated[list[Trace], FEW] = field(default_factory=list)


def dump_record(record: Record) -> str:
    """Return the file's text."""
    return TypeAdapter(Record).dump_json(record).decode() + "\n"


def load_record(run_directory: Path) -> Record:
    """Read a run's statistics. UsageError when they are missing or not of this format."""
    path = run_directory / STATISTICS_FILE
    try:
        record = TypeAdapter(Record).validate_json(read_document(path, VALUES_MAX))
    except OSError as error:
        raise UsageError(
            f"{path} can't be read ({error.strerror}): give the directory of a run that was "
            "collected, such as results/latest"
        ) from error
    except ValueError as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else error
        raise UsageError(
            f"{path} can't be used ({reason}): it was changed or cut off, or another release "
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
