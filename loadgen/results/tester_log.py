"""Reads logs of the alarm study's own testers, and writes one: `Response time N ms`, a line each.

    [2020-06-30 15:20:02,168] host/INFO/RepeatingHttpClient: Response time 2020 ms
    [2020-06-30 15:20:02,168] host/INFO/Tester: (POST /alarm) Response time 2020 ms
    [2020-06-30 15:25:00,001] … faulted @2020-06-30 15:25:00,001

A line is written when the response has come, so its request began that much earlier. Times have no
zone: they are read as they stand, and times on the axes are relative anyway. The executor's log of
a saturation search has one line a load, and whether the study's limits held on the line after it:

    2023-04-21 10:01:31,932 Clients: 200: avg: 0.149s, max: 10.217s
    2023-04-21 10:01:31,932 --> True
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from loadgen.node.statistics.request_log_format import SCHEMA
from loadgen.shared.errors import UsageError
from loadgen.shared.files import write_text

METHOD, UNNAMED = "LOG", "response"
_STAMP = r"\[?(?P<date>\d{4}-\d\d-\d\d)[ T](?P<time>\d\d:\d\d:\d\d)(?:[,.](?P<part>\d{1,6}))?\]?"
_LINE = re.compile(_STAMP)
_RESPONSE = re.compile(
    r"(?:\((?P<kind>[^()]+)\)\s*)?Response time:?\s*(?P<ms>\d+(?:\.\d+)?)\s*ms", re.IGNORECASE
)
_FAULT = re.compile(r"\b(?P<what>faulted|recovered)\s*@\s*(?P<at>.*?)\s*$", re.IGNORECASE)
_STEP = re.compile(
    r"Clients:\s*(?P<clients>\d+):\s*avg:\s*(?P<average>[\d.]+)\s*s,\s*max:\s*(?P<most>[\d.]+)\s*s"
)
_HELD = re.compile(r"-->\s*(?P<held>True|False)")


@dataclass
class TesterLog:
    """What testers' logs hold: requests as a request log has them, and faults (Unix seconds)."""

    requests: pl.DataFrame
    faulted: list[float] = field(default_factory=list)
    recovered: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SearchStep:
    """One load of the executor's search: seconds, and whether it complied (None: not said)."""

    clients: int
    average: float
    maximum: float
    held: bool | None = None


def read_tester_logs(paths: Sequence[Path]) -> TesterLog:
    """Read several testers' logs as one. UsageError when a file can't be read or holds none."""
    rows: list[tuple[int, int, str, str]] = []
    log = TesterLog(pl.DataFrame(schema=SCHEMA))
    for path in paths:
        before = len(rows)
        for line in _lines(path):
            _take(line, path.stem, rows, log)
        if len(rows) == before:
            raise UsageError(
                f"{path} contains no line with a time and 'Response time N ms': give a "
                f"log file in the alarm study's format, or the directory of a run"
            )
    log.requests = _frame(sorted(rows))
    return log


def _take(line: str, source: str, rows: list[tuple[int, int, str, str]], log: TesterLog) -> None:
    stamp = _LINE.search(line)
    if stamp is None:
        return
    at = _moment(stamp)
    if fault := _FAULT.search(line):
        noted = _LINE.search(fault["at"])
        known = log.faulted if fault["what"].lower() == "faulted" else log.recovered
        known.append((_moment(noted) if noted else at) / 1e6)
    elif response := _RESPONSE.search(line, stamp.end()):
        duration = round(float(response["ms"]) * 1000)
        rows.append((at - duration, duration, (response["kind"] or UNNAMED).strip(), source))


def _moment(stamp: re.Match[str]) -> int:
    """Return microseconds since 1970, as if the time were UTC."""
    try:
        whole = datetime.fromisoformat(f"{stamp['date']} {stamp['time']}").replace(tzinfo=UTC)
    except ValueError as error:
        raise UsageError(
            f"{stamp[0]} is not a valid time ({error}): correct or remove the line"
        ) from error
    return int(whole.timestamp()) * 1_000_000 + int((stamp["part"] or "").ljust(6, "0"))


def _frame(rows: Sequence[tuple[int, int, str, str]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "start_us": [row[0] for row in rows],
            "duration_us": [row[1] for row in rows],
            "method": [METHOD] * len(rows),
            "name": [row[2] for row in rows],
            "status": [None] * len(rows),
            "error": [None] * len(rows),
            "worker": [row[3] for row in rows],
            "phase": ["measured"] * len(rows),
            "trace_id": [None] * len(rows),
        },
        schema=SCHEMA,
    )


def read_search(path: Path) -> list[SearchStep]:
    """Read an executor's saturation search; empty when the file is none."""
    steps: list[SearchStep] = []
    for line in _lines(path):
        if step := _STEP.search(line):
            average, most = float(step["average"]), float(step["most"])
            steps.append(SearchStep(int(step["clients"]), average, most))
        elif (held := _HELD.search(line)) and steps and steps[-1].held is None:
            last = steps.pop()
            steps.append(
                SearchStep(last.clients, last.average, last.maximum, held["held"] == "True")
            )
    return steps


def _lines(path: Path) -> Iterable[str]:
    try:
        with path.open(errors="replace") as file:
            yield from file
    except OSError as error:
        raise UsageError(f"{path} can't be read ({error.strerror}): give a log file") from error


def write_tester_log(log: pl.DataFrame, path: Path) -> None:
    """Write the measured requests of a run's log in the testers' form, by their ends."""
    frame = log.drop_nulls("duration_us").with_columns(
        end=pl.col("start_us") + pl.col("duration_us")
    )
    write_text(path, "".join(map(_written, frame.sort("end").iter_rows(named=True))))


def _written(row: dict[str, object]) -> str:
    end, duration = row["end"], row["duration_us"]
    moment = datetime.fromtimestamp(int(str(end)) / 1e6, UTC)
    milliseconds = round(int(str(duration)) / 1000)
    kind = f"{row['method']} {row['name']}".replace("(", "[").replace(")", "]").replace("\n", " ")
    stamp = f"{moment:%Y-%m-%d %H:%M:%S},{moment.microsecond // 1000:03}"
    return f"[{stamp}] {row['worker']}/INFO/loadgen: ({kind}) Response time {milliseconds} ms\n"
