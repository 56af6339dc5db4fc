"""The request log: every request of a run as one row of a columnar file.

Each worker keeps columns in memory and writes them as Parquet chunks into the run's `requests/`
directory; after collection `merge_log` makes one `requests.parquet` of them, ordered by start.

    start_us     Int64    Unix microseconds, the worker's clock
    duration_us  Int64    microseconds; null when the request had no response time
    method       String   as in the statistics
    name         String
    status       UInt16   HTTP status; null without a response
    error        String   null when it succeeded
    worker       String
"""

import contextlib
import logging
import math
import random
import time
from array import array
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from operations.errors import UsageError

if TYPE_CHECKING:
    from locust.env import Environment

logger = logging.getLogger(__name__)
CHUNK_ROWS = 10_000
DIRECTORY = "requests"
MERGED_FILE = "requests.parquet"
SCHEMA = pl.Schema(
    {
        "start_us": pl.Int64(),
        "duration_us": pl.Int64(),
        "method": pl.String(),
        "name": pl.String(),
        "status": pl.UInt16(),
        "error": pl.String(),
        "worker": pl.String(),
    }
)
_NOTHING = -1
CHANCE_DEVIATIONS = 6
"""A sample smaller than this many standard deviations below its mean isn't chance."""


class RequestLog:
    """Columns of one worker, written to `directory` in chunks.

    A row costs about a microsecond: numbers go into arrays, texts become small numbers that are
    turned back when a chunk is written.
    """

    def __init__(self, directory: Path, worker: str, sampling_ratio: float = 1.0) -> None:
        self._directory, self._worker, self._ratio = directory, worker, sampling_ratio
        self._random = random.Random(worker)
        self._chunk = 0
        self._texts: dict[str, int] = {}
        self._clear()

    def _clear(self) -> None:
        self._starts, self._durations, self._statuses = array("q"), array("q"), array("i")
        self._methods, self._names, self._errors = array("i"), array("i"), array("i")

    def add(
        self,
        request_type: str,
        name: str,
        response_time: float | None,
        exception: BaseException | str | None = None,
        start_time: float | None = None,
        response: object = None,
        **_: object,
    ) -> None:
        """Take one request as Locust's `request` event describes it; times in ms and seconds."""
        if self._ratio < 1 and self._random.random() >= self._ratio:
            return
        if start_time is None:
            start_time = time.time() - (response_time or 0) / 1000
        self._starts.append(int(start_time * 1e6))
        self._durations.append(_NOTHING if response_time is None else round(response_time * 1000))
        self._methods.append(self._code(request_type))
        self._names.append(self._code(name))
        self._statuses.append(getattr(response, "status_code", None) or _NOTHING)
        self._errors.append(_NOTHING if exception is None else self._code(_describe(exception)))
        if len(self._starts) >= CHUNK_ROWS:
            self.write()

    def _code(self, text: str) -> int:
        return self._texts.setdefault(text, len(self._texts))

    def write(self) -> None:
        """Write what is in memory as one chunk, whole or not at all.

        What can't be written is gone: kept, it would take the worker's memory. The run's summary
        counts the rows and says how many are missing.
        """
        if not self._starts:
            return
        frame = self._frame()
        self._clear()
        path = self._directory / f"{self._worker}-{self._chunk:05}.parquet"
        self._chunk += 1
        fresh = path.with_suffix(".new")
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            frame.write_parquet(fresh, compression="zstd", compression_level=1)
            fresh.replace(path)
        except (OSError, pl.exceptions.PolarsError) as error:
            logger.warning("%d rows of the request log could not be written: %s", len(frame), error)
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)

    def _frame(self) -> pl.DataFrame:
        texts = pl.Series(list(self._texts), dtype=pl.String)

        def known(column: "array[int]") -> pl.Series:
            numbers = pl.Series(column, dtype=pl.Int64)
            return numbers.set(numbers == _NOTHING, None)

        return pl.DataFrame(
            {
                "start_us": pl.Series(self._starts, dtype=pl.Int64),
                "duration_us": known(self._durations),
                "method": texts.gather(known(self._methods)),
                "name": texts.gather(known(self._names)),
                "status": known(self._statuses).cast(pl.UInt16),
                "error": texts.gather(known(self._errors)),
                "worker": pl.Series([self._worker]).gather([0] * len(self._starts)),
            }
        )


def _describe(error: BaseException | str) -> str:
    return error if isinstance(error, str) else f"{type(error).__name__}: {error}"


def install(environment: "Environment", directory: Path, worker: str, ratio: float) -> RequestLog:
    """Log every request of this worker; what is in memory is written when the test stops."""
    log = RequestLog(directory, worker, ratio)
    environment.events.request.add_listener(log.add)
    environment.events.test_stop.add_listener(lambda **_: log.write())
    environment.events.quitting.add_listener(lambda **_: log.write())
    return log


def shortage(rows: int, requests: int, sampling_ratio: float) -> str:
    """Say that a log holds fewer rows than its run made requests, as after a full disk."""
    due = requests * sampling_ratio
    if rows >= due - CHANCE_DEVIATIONS * math.sqrt(due * (1 - sampling_ratio)):
        return ""
    return (
        f"{MERGED_FILE} holds {rows:,} rows, and {due:,.0f} requests were to be logged: a worker "
        "could not write its part; see the logs under hosts/, and whether a disk is full"
    )


def merge_log(run_directory: Path) -> int:
    """Make `requests.parquet` of all collected chunks, by start; return its rows, 0 without any.

    Chunks lie in `requests/` of the run or of any `hosts/<host>/`; they are removed afterwards.
    """
    found = sorted(run_directory.rglob(f"{DIRECTORY}/*.parquet"))
    chunks = [chunk for chunk in found if _is_ours(chunk)]
    if not chunks:
        return 0
    merged, fresh = run_directory / MERGED_FILE, run_directory / f".{MERGED_FILE}.new"
    frame = pl.concat([pl.scan_parquet(chunk) for chunk in chunks]).sort("start_us", "worker")
    frame.sink_parquet(fresh, compression="zstd")
    fresh.replace(merged)
    for chunk in chunks:
        chunk.unlink()
    for directory in {chunk.parent for chunk in chunks}:
        if not any(directory.iterdir()):
            directory.rmdir()
    return int(pl.scan_parquet(merged).select(pl.len()).collect().item())


def _is_ours(chunk: Path) -> bool:
    """Tell whether a chunk can be read; one from a host that sends anything else is left aside."""
    try:
        rows = pl.scan_parquet(chunk).select(pl.len()).collect().item()
        return bool(rows <= CHUNK_ROWS and pl.read_parquet(chunk).schema == SCHEMA)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError):
        logger.warning("%s is no request log of this release and is left aside", chunk)
        return False


def read_log(run_directory: Path) -> pl.DataFrame:
    """Read a run's log, ordered by start. UsageError when the run kept none."""
    path = run_directory / MERGED_FILE
    if not path.is_file():
        raise UsageError(
            f"{run_directory} holds no {MERGED_FILE}: give the run a request_log in its "
            "specification, or --request-log"
        )
    try:
        return pl.read_parquet(path, columns=list(SCHEMA))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise UsageError(
            f"{path} can't be read as a request log: {str(error).splitlines()[0]}; it is written "
            "by loadgen only"
        ) from error
