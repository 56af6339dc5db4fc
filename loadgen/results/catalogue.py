"""Runs that were made: find them, list them, name a baseline, remove old ones."""

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from loadgen.results import archive
from loadgen.results.archive import LATEST
from loadgen.results.foreign import LOCUSTS, OF_LOCUST, kind_of
from loadgen.results.journal import JOURNAL_FILE, Journal
from loadgen.results.statistics_file import Record, load_record
from loadgen.results.summary import Summary, load_summary
from loadgen.shared.errors import UsageError, why_unread
from loadgen.shared.files import point
from loadgen.shared.run_ids import SUMMARY_FILE, RunId
from loadgen.shared.text import format_seconds, plain_line

BASELINE = "baseline"
COLUMNS = 80
NO_SUMMARY = "it has no summary: the run was killed, or is still under way"


@dataclass(frozen=True, slots=True)
class ListedRun:
    """One run of the archive."""

    directory: Path
    summary: Summary


def summary_of(run: Path) -> Summary:
    """Read a run's summary; UsageError when it has none."""
    try:
        return load_summary(run)
    except OSError as error:
        raise UsageError(
            f"{run} contains no finished run ({error.strerror}): `loadgen results` lists the runs"
        ) from error
    except ValidationError as error:
        raise UsageError(
            f"{run}/{SUMMARY_FILE} is {_no_summary(error)}; `loadgen results` lists the runs"
        ) from error
    except ValueError as error:
        raise UsageError(
            f"{run}/{SUMMARY_FILE} can't be used: {error}; `loadgen results` lists the runs"
        ) from error


def record_of(run: Path) -> Record:
    """Read a run's histograms; UsageError when it has none."""
    return load_record(run)


def find_run(results: Path, reference: str) -> Path:
    """Return the directory of a run: `latest`, `baseline`, an id, the start of one, or a path."""
    for candidate in (results / reference, Path(reference)):
        if (candidate / SUMMARY_FILE).is_file():
            return candidate.resolve()
    is_path = "/" in reference
    found = [] if is_path else sorted(results.glob(f"{_literal(reference)}*/{SUMMARY_FILE}"))
    if len(found) == 1:
        return found[0].parent.resolve()
    if reference == BASELINE:
        raise UsageError(
            "no baseline has been chosen: choose one with loadgen results --baseline RUN"
        )
    cause = (
        f"the ids of {len(found)} runs begin with this text"
        if found
        else _what_else(Path(reference))
        or f"it is neither the id of a run in {results} nor the path of a run"
    )
    raise UsageError(f"there is no run {reference!r}: {cause}; `loadgen results` lists the runs")


def _what_else(path: Path) -> str:
    """Say what is at a path that holds no run; empty when nothing is there."""
    if path.is_dir() and archive.is_run(path.resolve()):
        return NO_SUMMARY
    beside = path.iterdir() if path.is_dir() else path.parent.glob(f"{_literal(path.name)}*")
    if path.is_file() and (kind := kind_of(path)):
        return f"that is {kind}"
    if any(OF_LOCUST.search(one.name) for one in beside):
        return f"these are files {LOCUSTS.format(holds='hold', it='them')}"
    if path.is_dir():
        return f"that directory contains no {SUMMARY_FILE}"
    return "that is a file, and a run is a directory" if path.exists() else ""


def _literal(text: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in text) or "[]]"


def find_runs(results: Path, references: str) -> list[Path]:
    """Return the runs that a comma-separated list means; a series means all its runs."""
    found: list[Path] = []
    for reference in references.split(","):
        directory = _series(results, reference)
        if directory is None:
            found.append(find_run(results, reference))
        else:
            done = Journal(directory / JOURNAL_FILE, lambda _: None).done
            found += [_of_series(directory, entry.run_id) for entry in done]
    return found


def _of_series(directory: Path, run_id: str) -> Path:
    """Return a run that a journal names, which may be another person's."""
    try:
        return find_run(directory.parent, RunId(run_id))
    except ValueError as error:
        raise UsageError(
            f"{directory / JOURNAL_FILE} names the run {plain_line(run_id)[:80]!r}, "
            f"which is not a valid run id; only loadgen may write this file"
        ) from error


def _series(results: Path, reference: str) -> Path | None:
    for candidate in (results / reference, Path(reference)):
        if reference and (candidate / JOURNAL_FILE).is_file():
            return candidate.resolve()
    return None


def list_runs(results: Path) -> list[ListedRun]:
    """Return every finished run, oldest first; what can't be read is left out."""
    runs = []
    for path in sorted(results.glob(f"*/{SUMMARY_FILE}")):
        directory = path.parent
        if directory.is_symlink():
            continue
        try:
            runs.append(ListedRun(directory, load_summary(directory)))
        except (OSError, ValueError):
            continue
    return sorted(runs, key=_begin)


def broken_runs(results: Path) -> list[tuple[str, str]]:
    """Return the directories that should hold a run and don't, each with the reason."""
    found = []
    for directory in sorted(results.iterdir()) if results.is_dir() else []:
        if directory.is_symlink() or not directory.is_dir() or not archive.is_run(directory):
            continue
        if (directory / JOURNAL_FILE).exists():
            continue
        if not (directory / SUMMARY_FILE).exists():
            found.append((directory.name, NO_SUMMARY))
            continue
        try:
            load_summary(directory)
        except ValidationError as error:
            found.append((directory.name, f"its {SUMMARY_FILE} is {_no_summary(error)}"))
        except (OSError, ValueError) as error:
            found.append((directory.name, f"its {SUMMARY_FILE} can't be read: {why_unread(error)}"))
    return found


def _no_summary(error: ValidationError) -> str:
    """Say what is wrong with a file that should hold a summary, after "is"."""
    first = error.errors(include_url=False)[0]
    place = "".join(f"{part}: " for part in first["loc"])
    return (
        f"not a summary of a run ({place}{first['msg']}): it was changed or cut off, or another"
        " program wrote it"
    )


def _begin(run: ListedRun) -> tuple[float, str]:
    # A run that failed before its load began has no start of its own.
    moment = run.summary.started_at or run.summary.ended_at
    return (moment.timestamp() if moment else 0.0, run.directory.name)


def describe(runs: Sequence[ListedRun], results: Path) -> str:
    """Return a table for a terminal of 80 columns, named by directory; broken runs at its end."""
    broken = broken_runs(results)
    if not runs and not broken:
        return f"no runs in {results}"
    marked = {
        (results / name).resolve().name: name
        for name in (LATEST, BASELINE)
        if (results / name).is_symlink()
    }
    lines = [("run", "verdict", "requests", "failed", "per s", "p95")]
    lines += [
        (
            run.directory.name,
            run.summary.verdict,
            f"{run.summary.requests:,}",
            f"{run.summary.failures:,}",
            f"{run.summary.throughput_per_second:,.4g}",
            format_seconds(run.summary.response_time_seconds.p95),
        )
        for run in runs
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    # A long name gets a line of its own rather than pushing the figures out of the terminal.
    widths[0] = min(widths[0], COLUMNS - sum(widths[1:]) - 2 * (len(widths) - 1))
    shown = [_row(line, widths, marked.get(line[0], "")) for line in lines]
    shown += [f"{name}: {why}" for name, why in broken]
    return "\n".join(shown)


def _row(line: Sequence[str], widths: Sequence[int], mark: str) -> str:
    name, figures = line[0], line[1:]
    cells = [figures[0].ljust(widths[1])]
    cells += [cell.rjust(width) for cell, width in zip(figures[1:], widths[2:], strict=True)]
    head = name.ljust(widths[0]) if len(name) <= widths[0] else f"{name}\n{' ' * widths[0]}"
    row = "  ".join([head, *cells]).rstrip()
    beside = f"{row}  {mark}".rstrip()
    return beside if len(beside) <= COLUMNS else f"{row}\n  is {mark}"


def name_baseline(results: Path, run: Path) -> None:
    """Let `baseline` point to a run of these results."""
    if run.parent != results.resolve():
        raise UsageError(
            f"{run} is not in {results}: choose the baseline from the runs in that directory"
        )
    point(results / BASELINE, run.name)


def prunable(results: Path, keep: int, older_than_seconds: float | None) -> list[Path]:
    """Return what may go, oldest first: not the newest `keep`, the baseline, or a young run."""
    if keep < 1:
        raise UsageError(f"--keep {keep} can't be used: keep at least 1")
    baseline = (results / BASELINE).resolve()
    now = time.time()
    return [
        run.directory
        for run in list_runs(results)[:-keep]
        if run.directory.resolve() != baseline
        and (older_than_seconds is None or now - _begin(run)[0] > older_than_seconds)
    ]


def remove(run: Path) -> None:
    """Remove a run's directory; the summary goes last, so that a half removed run is listed."""
    for path in run.iterdir():
        if path.name != SUMMARY_FILE:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (run / SUMMARY_FILE).unlink()
    run.rmdir()
