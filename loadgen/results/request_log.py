"""The request log: every request of a run as one row of a columnar file.

Each worker keeps times in memory and writes them as Parquet chunks into the run's `requests/`
directory (request_log_format.py); after collection `merge_log` makes one `requests.parquet` of
them, ordered by start.

    start_us     Int64    Unix microseconds, the worker's clock
    duration_us  Int64    microseconds; null when the request had no response time
    method       String   as in the statistics
    name         String
    status       UInt16   HTTP status; null without a response
    error        String   null when it succeeded
    worker       String
    phase        String   warm_up, measured or stopping: when it was answered
    trace_id     String   of the trace that a FastUser with trace_ratio began; null without one
"""

import logging
import math
import operator
from pathlib import Path

import polars as pl

from loadgen.node.statistics.request_log_format import (
    CHUNK_ROWS,
    CHUNK_SCHEMA,
    DIRECTORY,
    SCHEMA,
    TIMES,
    requests_in,
)
from loadgen.results.parquet_size import unpacked_bytes
from loadgen.results.statistics_file import Trace
from loadgen.shared.errors import UsageError
from loadgen.shared.files import open_regular
from loadgen.shared.machine import free_memory_bytes

logger = logging.getLogger(__name__)
MERGED_FILE = "requests.parquet"
TRACES_MAX = 20
CHUNK_BYTES_MAX, LOG_BYTES_MAX, FOOTER_BYTES_MAX = 256 << 20, 16 << 30, 64 << 20
"""What a chunk, and a run's log, may come to when they are unpacked; the log's own description."""
NO_LOG = (pl.exceptions.PolarsError, pl.exceptions.PanicException)
_FEW = pl.col("method", "name", "error", "worker", "phase").cast(pl.Categorical)
"""Columns of few texts, each of which is kept once: a row takes 46 bytes instead of 112."""
ROW_BYTES = 200
"""What a row takes while it is evaluated: 10 million took 1.4 GB."""
CHANCE_DEVIATIONS = 6
"""A sample smaller than this many standard deviations below its mean isn't chance."""


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
    requests = [requests_in(pl.scan_parquet(chunk)) for chunk in chunks]
    frame = pl.concat(requests).sort("start_us", "worker")
    frame.sink_parquet(fresh, compression="zstd")
    fresh.replace(merged)
    for chunk in chunks:
        chunk.unlink()
    for directory in {chunk.parent for chunk in chunks}:
        if not any(directory.iterdir()):
            directory.rmdir()
    return int(pl.scan_parquet(merged).select(pl.len()).collect().item())


def rows_after_warm_up(run_directory: Path) -> int:
    """Return how many rows a run's log holds of what came after its warm-up, 0 without a log."""
    merged = run_directory / MERGED_FILE
    if not merged.is_file():
        return 0
    rows = pl.scan_parquet(merged).filter(pl.col("phase") != "warm_up")
    return int(rows.select(pl.len()).collect().item())


def slowest_traces(run_directory: Path) -> list[Trace]:
    """Return the slowest measured requests that began a trace; none without a log."""
    merged = run_directory / MERGED_FILE
    if not merged.is_file():
        return []
    traced = pl.col("trace_id").is_not_null() & (pl.col("phase") == "measured")
    rows = pl.scan_parquet(merged).filter(traced & pl.col("duration_us").is_not_null())
    found = rows.sort("duration_us", descending=True).head(TRACES_MAX).collect()
    return [
        Trace(row["trace_id"], row["method"], row["name"], row["start_us"] / 1e6,
              row["duration_us"] / 1e6, row["error"] or "")
        for row in found.iter_rows(named=True)
    ]  # fmt: skip


def _is_ours(chunk: Path) -> bool:
    """Tell whether a chunk can be read; one from a host that sends anything else is left aside.

    It is unpacked only when its pages say that this takes no more memory than a chunk may.
    """
    try:
        with open_regular(chunk) as file:
            _require_at_most(unpacked_bytes(file), CHUNK_BYTES_MAX)
        rows = pl.scan_parquet(chunk).select(pl.len()).collect().item()
        ours = bool(rows <= CHUNK_ROWS and _holds_requests(pl.read_parquet(chunk)))
    except (*NO_LOG, OSError, ValueError):
        ours = False
    if not ours:
        logger.warning("%s is not a request log of this release, so it is left out", chunk)
    return ours


def _holds_requests(chunk: pl.DataFrame) -> bool:
    if chunk.schema != CHUNK_SCHEMA:
        return False
    starts, durations = (chunk[times].list.len().fill_null(0).to_list() for times in TIMES)
    if starts != durations or 0 in starts or sum(starts) > CHUNK_ROWS:
        return False
    # A text stands in the row of each request that it belongs to.
    texts = chunk.select(pl.sum_horizontal(pl.col(pl.String).str.len_bytes().fill_null(0)))
    each = texts.to_series().to_list()
    return bool(sum(map(operator.mul, starts, each)) <= CHUNK_BYTES_MAX)


def _require_at_most(found: int, most: int) -> None:
    """ValueError: it is more."""
    if found > most:
        raise ValueError(
            f"it has {found:,} bytes when it is decompressed, but the limit is {most:,}"
        )


def read_log(run_directory: Path) -> pl.DataFrame:
    """Read a run's log, ordered by start. UsageError when the run kept none."""
    path = run_directory / MERGED_FILE
    if not path.is_file():
        raise UsageError(
            f"{run_directory} contains no {MERGED_FILE}: repeat the run with request_log "
            f"in its experiment, or with --request-log"
        )
    try:
        with open_regular(path) as file:
            _require_at_most(unpacked_bytes(file, FOOTER_BYTES_MAX), LOG_BYTES_MAX)
        log = pl.scan_parquet(path)
        _require_room(path, int(log.select(pl.len()).collect().item()), free_memory_bytes())
        # A log of an earlier release lacks some columns: without a phase the times decide.
        for name in {"phase", "trace_id"} - set(log.collect_schema()):
            log = log.with_columns(pl.lit(None, pl.String).alias(name))
        sane = pl.col("duration_us").clip(lower_bound=0)
        read = log.select(list(SCHEMA)).cast(SCHEMA).with_columns(_FEW, sane).collect()
        _require_sense(read)
    except (*NO_LOG, OSError, ValueError) as error:
        raise UsageError(
            f"{path} can't be read as a request log: {str(error).splitlines()[0]}; "
            f"only loadgen may write this file"
        ) from error
    return read


def negative_durations(run_directory: Path) -> int:
    """Return how many rows of a log end before their start, as logs of 0.1 have; 0 without one.

    A clock that is set back makes them. `read_log` counts them as 0, as the statistics do.
    """
    merged = run_directory / MERGED_FILE
    if not merged.is_file():
        return 0
    rows = pl.scan_parquet(merged).filter(pl.col("duration_us") < 0)
    try:
        return int(rows.select(pl.len()).collect().item())
    except (*NO_LOG, OSError):
        # It was removed meanwhile; what was read of it counts.
        return 0


def _require_room(path: Path, rows: int, free_bytes: int) -> None:
    """UsageError: a log's evaluation takes more memory than there is."""
    wanted = rows * ROW_BYTES
    if wanted > free_bytes:
        raise UsageError(
            f"{path} has {rows:,} rows, whose evaluation takes about {wanted / 2**30:.1f} GiB of"
            f" memory, and this machine has {free_bytes / 2**30:.1f} GiB free: evaluate it on a"
            " larger one, or let the next run keep a sample (sampling_ratio of request_log)"
        )


def _require_sense(log: pl.DataFrame) -> None:
    """ValueError: a row has no start, method or name."""
    for column in ("start_us", "method", "name"):
        if log[column].null_count():
            raise ValueError(f"{log[column].null_count():,} rows have no {column}")
