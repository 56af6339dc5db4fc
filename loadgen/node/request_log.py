"""A worker's request log: one row a request, kept as Parquet files."""

import logging
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
from locust.env import Environment

from loadgen.scenario.http.outlet import ordinarily
from loadgen.shared.files import replacing
from loadgen.shared.snapshot import Phase
from loadgen.shared.text import encodable

logger = logging.getLogger(__name__)
CHUNK_ROWS = 20_000
_MAX_STATUS = 65_535


DIRECTORY = "requests"


SCHEMA = pl.Schema(
    {
        "start_us": pl.Int64(),
        "duration_us": pl.Int64(),
        "method": pl.String(),
        "name": pl.String(),
        "status": pl.UInt16(),
        "error": pl.String(),
        "worker": pl.String(),
        "phase": pl.String(),
    }
)


Row = tuple[float, float | None, str, str, int | None, str | None, Phase]


class RequestLog:
    """Rows of one worker, written to `directory` in chunks.

    A row costs a quarter of a microsecond to keep and half of one to write: columns are made of a
    whole chunk at once.
    """

    def __init__(
        self,
        directory: Path,
        worker: str,
        sampling_ratio: float = 1.0,
        phase: Callable[[], Phase] = lambda: "measured",
    ) -> None:
        self._directory, self._worker, self._ratio = directory, worker, sampling_ratio
        self._phase = phase
        self._random = random.Random(worker)
        self._chunk = 0
        self._rows: list[Row] = []

    @ordinarily("take")
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
        milliseconds = None if response_time is None else float(response_time)
        start = time.time() - (milliseconds or 0) / 1000 if start_time is None else start_time
        status = getattr(response, "status_code", None)
        error = None if exception is None else encodable(_describe(exception))
        method, name = encodable(str(request_type)), encodable(str(name))
        known = status if isinstance(status, int) and 0 < status <= _MAX_STATUS else None
        self._keep((float(start), milliseconds, method, name, known, error, self._phase()))

    def take(
        self, method: str, name: str, milliseconds: float, _size: int, start: float, status: int
    ) -> None:
        """Take an ordinary request (scenario's tally.py says which), as `add` does."""
        if self._ratio < 1 and self._random.random() >= self._ratio:
            return
        if not name.isascii():
            name = encodable(name)
        self._keep((start, milliseconds, method, name, status, None, self._phase()))

    def _keep(self, row: Row) -> None:
        self._rows.append(row)
        if len(self._rows) >= CHUNK_ROWS:
            self.write()

    def write(self) -> None:
        """Write what is in memory as one chunk, whole or not at all.

        What can't be written is gone: kept, it would take the worker's memory. The run's summary
        counts the rows and says how many are missing.
        """
        if not self._rows:
            return
        rows, self._rows = self._rows, []
        path = self._directory / f"{self._worker}-{self._chunk:05}.parquet"
        self._chunk += 1
        try:
            frame = _frame(rows, self._worker)
            self._directory.mkdir(parents=True, exist_ok=True)
            with replacing(path) as fresh:
                frame.write_parquet(fresh, compression="zstd", compression_level=1)
        except (OSError, pl.exceptions.PolarsError) as error:
            logger.warning("%d rows of the request log could not be written: %s", len(rows), error)


def _frame(rows: list[Row], worker: str) -> pl.DataFrame:
    starts, times, methods, names, statuses, errors, phases = zip(*rows, strict=True)
    return pl.DataFrame(
        {
            "start_us": _microseconds(starts, 1e6),
            "duration_us": _microseconds(times, 1e3).round(),
            "method": pl.Series(methods, dtype=pl.String),
            "name": pl.Series(names, dtype=pl.String),
            "status": pl.Series(statuses, dtype=pl.UInt16),
            "error": pl.Series(errors, dtype=pl.String),
            "worker": pl.Series([worker]).gather([0] * len(rows)),
            "phase": pl.Series(phases, dtype=pl.String),
        }
    ).cast({"start_us": pl.Int64, "duration_us": pl.Int64}, strict=False)


def _microseconds(values: Sequence[float | None], each: float) -> pl.Series:
    return pl.Series(values, dtype=pl.Float64) * each


def _describe(error: BaseException | str) -> str:
    return error if isinstance(error, str) else f"{type(error).__name__}: {error}"


def install(
    environment: "Environment",
    directory: Path,
    worker: str,
    ratio: float,
    phase: Callable[[], Phase],
) -> RequestLog:
    """Log every request of this worker; what is in memory is written when the test stops."""
    log = RequestLog(directory, worker, ratio, phase)
    environment.events.request.add_listener(log.add)
    environment.events.test_stop.add_listener(lambda **_: log.write())
    environment.events.quitting.add_listener(lambda **_: log.write())
    return log
