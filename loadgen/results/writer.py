"""Writes a run's directory: summary, report, JUnit, and Locust's own files under their names."""

import contextlib
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from loadgen.judging.check import NOTE
from loadgen.judging.slo_judge import SloResult
from loadgen.judging.verdict import Verdict
from loadgen.results import archive
from loadgen.results.junit import build_junit
from loadgen.results.notes import notes_of
from loadgen.results.page.report import build_report
from loadgen.results.statistics_file import (
    STATISTICS_FILE,
    HostCpu,
    Record,
    Trace,
    dump_record,
)
from loadgen.results.summary import (
    AfterStop,
    ErrorResult,
    Provenance,
    ResponseTimes,
    Summary,
    WorkerCounts,
)
from loadgen.results.timeline import Timeline
from loadgen.results.trend import TREND_FILE, dump_trends, trends
from loadgen.shared.files import write_text
from loadgen.shared.histograms import merge, percentile
from loadgen.shared.machine import Machine
from loadgen.shared.run_ids import SUMMARY_FILE
from loadgen.shared.snapshot import EntryStatistics, ErrorCount, Snapshot, requests_among
from loadgen.specification.plan import RunPlan

ERRORS_KEPT = 10
HASHES = ("release", "scenario")


@dataclass(frozen=True, slots=True)
class Outcome:
    """A run's outcome, before it is written. `versions` may hold two hashes beside."""

    verdict: Verdict
    reasons: Sequence[str]
    reason_kinds: Sequence[str]
    slos: Sequence[SloResult]
    last: Snapshot | None
    timeline: Timeline
    workers_expected: int
    workers_seen: int
    versions: Mapping[str, str]
    ended_at: datetime
    machines: tuple[Machine, ...] = ()
    origin: Provenance = field(default_factory=Provenance)
    target_cpu: tuple[HostCpu, ...] = ()


def write_results(plan: RunPlan, outcome: Outcome) -> Summary:
    """Write everything that follows from the last snapshot; return the summary.

    The summary is written first: it matters most when a disk fills.
    """
    directory, last = plan.directory, outcome.last
    # Requests of a warm-up that never ended were not measured.
    measured = last if last and last.measured_from is not None else None
    entries = measured.entries if measured else []
    summary = _summary(plan, outcome, measured)
    if plan.specification.response_time_log:
        _write_response_times(directory)
    answered = [*entries, *(measured.entries_after if measured else ())]
    summary = _with_log_shortage(summary, plan, sum(entry.requests for entry in answered))
    record = _record(entries, outcome.timeline, measured.errors if measured else [])
    record = dataclasses.replace(
        record, target_cpu=list(outcome.target_cpu), traces=_slowest_traces(plan)
    )
    archive.rename_locust_reports(directory)
    files: dict[str, Callable[[], str]] = {
        SUMMARY_FILE: lambda: summary.model_dump_json(indent=2) + "\n",
        STATISTICS_FILE: lambda: dump_record(record),
        TREND_FILE: lambda: dump_trends(trends(entries)),
        "junit.xml": lambda: build_junit(summary, entries),
        "report.html": lambda: build_report(summary, record),
    }
    unwritten = {
        name: fault for name, build in files.items() if (fault := _write(directory / name, build))
    }
    if not unwritten:
        return summary
    summary = _incomplete(summary, directory, unwritten)
    _write(directory / SUMMARY_FILE, lambda: summary.model_dump_json(indent=2) + "\n")
    return summary


def _summary(plan: RunPlan, outcome: Outcome, measured: Snapshot | None) -> Summary:
    """Sum a run up; `measured` is its last snapshot, None if its measured interval never began."""
    versions = outcome.versions
    entries = measured.entries if measured else []
    counted = requests_among(entries)
    requests = sum(entry.requests for entry in counted)
    seconds = measured.measured_seconds if measured else 0.0
    notes = notes_of(entries, outcome.timeline, seconds)
    return Summary(
        run_id=plan.run_id,
        verdict=outcome.verdict,
        reasons=(*outcome.reasons, *notes),
        reason_kinds=(*outcome.reason_kinds, *(NOTE for _ in notes)),
        requests=requests,
        failures=sum(entry.failures for entry in counted),
        throughput_per_second=requests / seconds if seconds > 0 else 0.0,
        response_time_seconds=response_times(counted),
        measured_seconds=seconds,
        after_stop=_after_stop(measured.entries_after if measured else ()),
        workers=WorkerCounts(
            expected=outcome.workers_expected,
            seen=outcome.workers_seen,
            lost=outcome.last.workers_lost if outcome.last else 0,
        ),
        started_at=_moment(measured.measured_from if measured else None),
        ended_at=_moment(measured.measured_until if measured else None) or outcome.ended_at,
        versions={name: value for name, value in versions.items() if name not in HASHES},
        release_sha256=versions.get("release", ""),
        specification={**plan.specification.model_dump(mode="json"), "host": plan.host},
        slos=tuple(outcome.slos),
        errors=most_frequent(measured.errors if measured else []),
        requests_logged=_merge_request_log(plan),
        description=plan.specification.description,
        machines=outcome.machines,
        origin=_with_scenario(outcome.origin, versions),
    )


def _write(path: Path, build: Callable[[], str]) -> str | None:
    """Write a file; return what kept it from being written.

    A full disk must not keep the other files, nor the verdict, from being given.
    """
    try:
        write_text(path, build())
    except OSError as error:
        return error.strerror or str(error)
    return None


def _incomplete(summary: Summary, directory: Path, unwritten: Mapping[str, str]) -> Summary:
    """Return the summary of a run whose results could not all be kept."""
    sentence = (
        f"{', '.join(unwritten)} could not be written to {directory}: "
        f"{', '.join(sorted(set(unwritten.values())))}; the rest is kept"
    )
    return _with_fault(summary, sentence)


def _with_fault(summary: Summary, sentence: str) -> Summary:
    return summary.model_copy(
        update={
            "verdict": "interrupted" if summary.verdict == "interrupted" else "error",
            "reasons": (*summary.reasons, sentence),
            "reason_kinds": (*summary.reason_kinds, "fault"),
        }
    )


def _merge_request_log(plan: RunPlan) -> int | None:
    if plan.specification.request_log is None:
        return None
    # polars takes a moment to import, and most runs keep no log.
    from loadgen.results.request_log import merge_log  # noqa: PLC0415

    with contextlib.suppress(OSError):
        return merge_log(plan.directory)
    return None


def _slowest_traces(plan: RunPlan) -> list[Trace]:
    if plan.specification.request_log is None:
        return []
    from loadgen.results.request_log import slowest_traces  # noqa: PLC0415

    return slowest_traces(plan.directory)


def _write_response_times(directory: Path) -> None:
    """Write the measured requests as the alarm study's testers do, for their plotter."""
    from loadgen.results.request_log import MERGED_FILE, read_log  # noqa: PLC0415  as above
    from loadgen.results.tester_log import write_tester_log  # noqa: PLC0415

    if (directory / MERGED_FILE).is_file():
        log = read_log(directory)
        measured = log.filter(log["phase"] == "measured")
        write_tester_log(measured, directory / "response-times.log")


def _with_log_shortage(summary: Summary, plan: RunPlan, answered: int) -> Summary:
    log = plan.specification.request_log
    if log is None:
        return summary
    from loadgen.results.request_log import rows_after_warm_up, shortage  # noqa: PLC0415

    sentence = shortage(rows_after_warm_up(plan.directory), answered, log.sampling_ratio)
    return _with_fault(summary, sentence) if sentence else summary


def most_frequent(errors: Sequence[ErrorCount]) -> tuple[ErrorResult, ...]:
    """Return the errors that a summary keeps, most frequent first; all are in failures.csv."""
    kept = sorted(errors, key=lambda error: -error.occurrences)[:ERRORS_KEPT]
    return tuple(ErrorResult(**dataclasses.asdict(error)) for error in kept)


def _record(
    entries: Sequence[EntryStatistics], timeline: Timeline, errors: Sequence[ErrorCount]
) -> Record:
    return Record(
        entries=list(entries),
        points=timeline.points,
        names=timeline.name_windows(),
        completed=timeline.completed.counts(),
        completed_width=timeline.completed.width,
        errors=list(errors),
    )


def _with_scenario(origin: Provenance, versions: Mapping[str, str]) -> Provenance:
    """Name the scenario as every node did."""
    scenario = versions.get("scenario") or origin.scenario_sha256
    return origin.model_copy(update={"scenario_sha256": scenario})


def _moment(time: float | None) -> datetime | None:
    return None if time is None else datetime.fromtimestamp(time, UTC)


def _after_stop(entries: Sequence[EntryStatistics]) -> AfterStop:
    counted = requests_among(entries)
    longest = [entry.response_time_max_ms for entry in counted if entry.response_times]
    return AfterStop(
        requests=sum(entry.requests for entry in counted),
        failures=sum(entry.failures for entry in counted),
        maximum_seconds=max(longest) / 1000 if longest else None,
    )


def response_times(entries: Sequence[EntryStatistics]) -> ResponseTimes:
    """Return percentiles in seconds over all names, from the merged histogram."""
    timed = [entry for entry in entries if entry.response_times]
    if not timed:
        return ResponseTimes()
    histogram = merge(entry.response_times for entry in timed)
    shortest = min(entry.response_time_min_ms or 0.0 for entry in timed)
    longest = max(entry.response_time_max_ms for entry in timed)
    values = [percentile(histogram, part, shortest, longest) for part in (0.5, 0.95, 0.99)]
    p50, p95, p99 = (None if value is None else value / 1000 for value in values)
    return ResponseTimes(p50=p50, p95=p95, p99=p99, max=longest / 1000)
