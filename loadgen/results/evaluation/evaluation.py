"""Everything that can be said of one run from its request log: pictures, tables and a text."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import polars as pl
from matplotlib.figure import Figure
from pydantic import BaseModel, ConfigDict, Field

from loadgen.judging.loss_checks import ARRIVAL_METHOD
from loadgen.results.archive import defuse
from loadgen.results.catalogue import summary_of
from loadgen.results.evaluation import log_pictures
from loadgen.results.evaluation.omission import correct
from loadgen.results.evaluation.pictures import FORMATS, Format, save_picture
from loadgen.results.request_log import negative_durations, read_log
from loadgen.results.statistics_file import load_record
from loadgen.results.tester_log import TesterLog
from loadgen.shared.histograms import Histogram, merge, percentile
from loadgen.shared.text import format_seconds

DIRECTORY = "evaluation"
SLOWEST = 20


class EvaluationSettings(BaseModel):
    """`limits` (s) and `fault_times` (s in the run) are drawn as lines.

    `interval_seconds`, the time between one user's requests, asks for the correction of
    coordinated omission. An open-model run has no need of it: its rows ARRIVAL count from the
    intended start. `speed` is that of a time-scaled alarm study, whose seconds it multiplies.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    limits: tuple[float, ...] = ()
    fault_times: tuple[float, ...] = ()
    interval_seconds: float | None = Field(default=None, gt=0)
    speed: float = Field(default=1, gt=0)
    formats: tuple[Format, ...] = FORMATS


Study = Callable[[pl.DataFrame, float], tuple[Mapping[str, Figure], str]]
"""What a published study makes of a request log and its speed: pictures by name, and a text."""


def evaluate(
    run: Path,
    settings: EvaluationSettings,
    studies: Sequence[Study] = (),
    directory: Path | None = None,
) -> str:
    """Write pictures and tables, into the run's `evaluation/`, unless told; return what to say.

    Each of `studies` adds its own; one that finds nothing of its own in the log adds nothing.
    """
    log, directory = measured_log(run), directory or run / DIRECTORY
    users = {"users": log_pictures.draw_users(load_record(run).points)}
    said = _draw(log, directory, settings, studies, users)
    omission = _omission(run, settings.interval_seconds)
    return _join(
        *(_sampling(run), _negative(run), said[0], omission, *said[1:]),
        f"pictures and tables: {directory}",
    )


def evaluate_tester_log(
    log: TesterLog, directory: Path, settings: EvaluationSettings, studies: Sequence[Study] = ()
) -> str:
    """Make of testers' logs what `evaluate` makes of a run; faults are drawn where they began."""
    first = float(log.requests["start_us"][0]) / 1e6
    if not settings.fault_times:
        times = tuple(at - first for at in log.faulted)
        settings = settings.model_copy(update={"fault_times": times})
    said = _draw(log.requests, directory, settings, studies, {})
    faults = f"{len(log.faulted)} faults, {len(log.recovered)} recoveries" if log.faulted else ""
    return _join(said[0], faults, *said[1:], f"pictures and tables: {directory}")


def _join(*parts: str) -> str:
    return "\n".join(part for part in parts if part)


def _draw(
    log: pl.DataFrame,
    directory: Path,
    settings: EvaluationSettings,
    studies: Sequence[Study],
    more: Mapping[str, Figure],
) -> list[str]:
    """Write pictures and tables; return the counts, and each study's text."""
    pictures = {
        "response-times": log_pictures.draw_response_times(
            log, settings.limits, settings.fault_times
        ),
        "percentiles": log_pictures.draw_percentiles(log),
        "distribution": log_pictures.draw_distribution(log, settings.limits),
        "throughput": log_pictures.draw_throughput(log),
        **more,
        "failures": log_pictures.draw_failures(log),
    }
    texts = []
    for study in studies:
        drawn, text = study(log, settings.speed)
        pictures.update(drawn)
        texts.append(text)
    for name, figure in pictures.items():
        save_picture(figure, directory / name, settings.formats)
    slowest = log_pictures.slowest(log, SLOWEST)
    write_table(slowest, directory / "slowest.csv")
    write_table(log_pictures.failures_by_cause(log), directory / "causes.csv")
    return [_counts(log, settings.limits), *texts]


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write a table as CSV; its texts come from the target, so formulas are taken out of it."""
    frame.write_csv(path)
    defuse(path)


def measured_log(run: Path) -> pl.DataFrame:
    """Return what was answered within the measured interval, as the summary counts it."""
    log, summary = read_log(run), summary_of(run)
    if not log["phase"].null_count():
        return log.filter(pl.col("phase") == "measured")
    ended = pl.col("start_us") + pl.col("duration_us").fill_null(0)
    if summary.started_at:
        log = log.filter(ended >= int(summary.started_at.timestamp() * 1e6))
    if summary.ended_at:
        log = log.filter(ended <= int(summary.ended_at.timestamp() * 1e6))
    return log


def _sampling(run: Path) -> str:
    kept = summary_of(run).specification.get("request_log")
    ratio = kept.get("sampling_ratio", 1) if isinstance(kept, dict) else 1
    if not isinstance(ratio, int | float) or ratio >= 1:
        return ""
    return f"a sample of {100 * ratio:g} % of the requests, so rare ones may be missing"


def _negative(run: Path) -> str:
    rows = negative_durations(run)
    if not rows:
        return ""
    return (
        f"{rows:,} rows of the log end before they begin, as a clock was set back: counted as 0 s"
    )


def _counts(log: pl.DataFrame, limits: Sequence[float]) -> str:
    failed = log["error"].len() - log["error"].null_count()
    lines = [f"{log.height:,} requests, {failed:,} failed"]
    for limit in limits:
        over = log.filter(pl.col("duration_us") > limit * 1e6).height
        lines.append(f"{over:,} above {limit:g} s")
    return "\n".join(lines)


def _omission(run: Path, interval_seconds: float | None) -> str:
    """Show percentiles without and with the time that due requests would have waited."""
    entries = load_record(run).entries
    arrivals = [entry for entry in entries if entry.method == ARRIVAL_METHOD]
    if arrivals:
        sent = merge(e.response_times for e in entries if e.method != ARRIVAL_METHOD)
        due = merge(entry.response_times for entry in arrivals)
        return _beside("from the real start", sent, "from the intended start", due)
    if interval_seconds is None:
        return ""
    measured = merge(entry.response_times for entry in entries)
    corrected = correct(measured, interval_seconds * 1000)
    return _beside("as measured", measured, "corrected for coordinated omission", corrected)


def _beside(label: str, measured: Histogram, other_label: str, other: Histogram) -> str:
    return "\n".join(
        f"{text}: {_percentiles(h)}" for text, h in ((label, measured), (other_label, other))
    )


def _percentiles(histogram: Histogram) -> str:
    values = {f"p{q * 100:g}": percentile(histogram, q) for q in (0.5, 0.95, 0.99, 1)}
    return ", ".join(
        f"{'max' if name == 'p100' else name} {format_seconds(None if ms is None else ms / 1000)}"
        for name, ms in values.items()
    )
