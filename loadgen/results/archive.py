"""The archive of runs: one directory a run under `results/`, `latest` pointing to the newest."""

import contextlib
import csv
import io
import re
from pathlib import Path

from loadgen.shared.files import point, write_text
from loadgen.shared.run_ids import run_directory

LATEST = "latest"
LOCUST_REPORTS = {
    "locust_stats.csv": "stats.csv",
    "locust_stats_history.csv": "stats_history.csv",
    "locust_failures.csv": "failures.csv",
    "locust_exceptions.csv": "exceptions.csv",
}
SPREADSHEETS = ("stats.csv", "failures.csv", "exceptions.csv")


def is_run(directory: Path) -> bool:
    """Tell whether a directory is named as a run or a series is."""
    return re.match(r"(web-)?\d{8}T\d{6}Z", directory.name) is not None


def create_run_directory(results: Path, run_id: str) -> Path:
    """Make the run's directory; it must not exist."""
    directory = run_directory(results, run_id)
    directory.mkdir()
    return directory


def point_latest(results: Path, run_id: str) -> None:
    """Let `latest` point to the run, at no moment to nothing."""
    point(results / LATEST, run_id)


def rename_locust_reports(directory: Path) -> None:
    """Give Locust's CSV files the archive's names, and take the formulas out of them."""
    for theirs, ours in LOCUST_REPORTS.items():
        with contextlib.suppress(FileNotFoundError):
            (directory / theirs).replace(directory / ours)
    for name in SPREADSHEETS:
        with contextlib.suppress(OSError, ValueError, csv.Error):
            defuse(directory / name)


def defuse(path: Path) -> None:
    """Put an apostrophe before each cell of a CSV file that a spreadsheet would calculate.

    Names and errors come from targets too. Numbers stay numbers; `statistics.json` has each name
    as it was.
    """
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    safe = [[f"'{cell}" if _is_formula(cell) else cell for cell in row] for row in rows]
    if safe != rows:
        text = io.StringIO(newline="")
        csv.writer(text).writerows(safe)
        write_text(path, text.getvalue())


def _is_formula(cell: str) -> bool:
    if not cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return False
    try:
        float(cell)
    except ValueError:
        return True
    return False
