"""The archive of runs: one directory a run under `results/`, `latest` pointing to the newest."""

import contextlib
import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from loadgen.shared.files import point, replacing
from loadgen.shared.run_ids import run_directory

LATEST = "latest"
LOCUST_REPORTS = {
    "locust_stats.csv": "stats.csv",
    "locust_stats_history.csv": "stats_history.csv",
    "locust_failures.csv": "failures.csv",
    "locust_exceptions.csv": "exceptions.csv",
}
CELL_CHARACTERS_MAX = 1 << 20
LINE_CHARACTERS_MAX = 16 << 20
SPREADSHEETS = tuple(LOCUST_REPORTS.values())


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
        path = directory / name
        with contextlib.suppress(OSError):
            try:
                defuse(path)
            except (ValueError, csv.Error):
                # A file that can't be read as a table can't be made safe, so it gets a name that
                # no spreadsheet opens.
                path.replace(directory / f"{name}.txt")


def defuse(path: Path) -> None:
    """Put an apostrophe before each cell of a CSV file that a spreadsheet would calculate.

    Names and errors come from targets too, and on a fleet the file from a host: it is read a row at
    a time, and no row without an end. Numbers stay numbers; `statistics.json` has each name as it
    was. Raises OSError, ValueError or csv.Error, when it is no table.
    """
    csv.field_size_limit(CELL_CHARACTERS_MAX)
    if not any(_is_formula(cell) for row in _rows(path) for cell in row):
        return
    with replacing(path) as fresh, fresh.open("w", newline="") as file:
        writer = csv.writer(file)
        for row in _rows(path):
            writer.writerow(f"'{cell}" if _is_formula(cell) else cell for cell in row)


def _rows(path: Path) -> Iterator[list[str]]:
    with path.open(newline="") as file:
        yield from csv.reader(_lines(file, path))


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    while line := file.readline(LINE_CHARACTERS_MAX):
        if len(line) == LINE_CHARACTERS_MAX:
            raise ValueError(f"{path} has a line of more than {LINE_CHARACTERS_MAX >> 20} MiB")
        yield line


def _is_formula(cell: str) -> bool:
    if not cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return False
    try:
        float(cell)
    except ValueError:
        return True
    return False
