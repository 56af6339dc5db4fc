"""The runs of the past: verdict and figures of each `results/<run_id>/summary.json`."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, Field

from exporter.runs import MAXIMUM, RunFigures
from loadgen.shared.files import read_document
from loadgen.shared.run_ids import SUMMARY_FILE
from loadgen.shared.snapshot import Number

MAX_RUNS = 200


class _Times(BaseModel):
    p50: Number | None = None
    p95: Number | None = None
    p99: Number | None = None
    max: Number | None = None


class _Workers(BaseModel):
    lost: Number | None = None
    expected: Number | None = None


class _Specification(BaseModel):
    users: Number | None = None


class _Summary(BaseModel):
    """What is shown of a run. It may be another person's, whose numbers and texts can be any."""

    verdict: str = Field(pattern="^[a-z]{1,20}$")
    requests: Number
    failures: Number
    response_time_seconds: _Times
    workers: _Workers = _Workers()
    specification: _Specification = _Specification()
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    measured_seconds: Number | None = None


class Archive:
    """The newest runs of a results directory; a summary is read again when it has changed."""

    def __init__(self, results: Path) -> None:
        self._results = results
        self._known: dict[Path, tuple[int, RunFigures | None]] = {}

    def runs(self) -> Iterator[RunFigures]:
        """Yield the newest runs; one whose summary can't be read is left out."""
        # Run ids begin with the time, so names sort by age. `latest` is a link to one of them.
        directories = (path for path in self._results.glob("*/") if not path.is_symlink())
        for directory in islice(sorted(directories, reverse=True), MAX_RUNS):
            run = self._run(directory / SUMMARY_FILE)
            if run is not None:
                yield run

    def _run(self, summary: Path) -> RunFigures | None:
        try:
            changed = summary.stat().st_mtime_ns
        except OSError:
            return None
        if self._known.get(summary, (0, None))[0] != changed:
            self._known[summary] = (changed, _read(summary))
        return self._known[summary][1]


def _read(summary: Path) -> RunFigures | None:
    try:
        kept = _Summary.model_validate_json(read_document(summary))
    except (OSError, ValueError):
        return None
    times, workers = kept.response_time_seconds, kept.workers
    figures = {"0.5": times.p50, "0.95": times.p95, "0.99": times.p99, MAXIMUM: times.max}
    return RunFigures(
        run_id=summary.parent.name,
        started_at=kept.started_at.timestamp() if kept.started_at else None,
        ended_at=kept.ended_at.timestamp() if kept.ended_at else None,
        measured_seconds=kept.measured_seconds,
        users=kept.specification.users,
        requests=kept.requests,
        failures=kept.failures,
        workers_lost=workers.lost,
        workers_expected=workers.expected,
        quantiles={label: value for label, value in figures.items() if value is not None},
        verdict=kept.verdict,
    )
