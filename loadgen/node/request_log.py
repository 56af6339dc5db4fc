"""A worker's request log: one row a request, kept as Parquet files."""

import logging
import random
import time
from collections.abc import Callable, Mapping
from math import isnan, nan
from pathlib import Path
from typing import Any

import polars as pl
from locust.env import Environment

from loadgen.node.statistics.request_log_format import CHUNK_ROWS
from loadgen.scenario.http.outlet import ordinarily
from loadgen.shared.files import replacing
from loadgen.shared.snapshot import Phase
from loadgen.shared.text import encodable

logger = logging.getLogger(__name__)
CELLS = 5
_CHUNK_CELLS = CHUNK_ROWS * CELLS
_MAX_STATUS = 65_535
_MAX_US = 1e18


class Rows:
    """Some requests, one after the other: what most rows have in common is kept once.

    `cells` are method, name, milliseconds (NaN for none), start in Unix seconds and status (0 for
    none), again and again: no other way to keep five values costs as little. `errors` and `traces`
    are by row.
    `phases` are (first row, phase).
    """

    def __init__(self) -> None:
        self.cells: list[Any] = []
        self.errors: dict[int, str] = {}
        self.traces: dict[int, str] = {}
        self.phases: list[tuple[int, Phase]] = []

    def __len__(self) -> int:
        return len(self.cells) // CELLS

    def frame(self, worker: str) -> pl.DataFrame:
        """Return the rows with SCHEMA's columns."""
        count = len(self)
        methods, names, times, starts, codes = (self.cells[i::CELLS] for i in range(CELLS))
        statuses = pl.Series(codes, dtype=pl.UInt16)
        columns = {
            "start_us": _microseconds(starts, 1e6),
            "duration_us": _microseconds(times, 1e3).round().fill_nan(None),
            "method": _texts(methods),
            "name": _texts(names),
            "status": statuses.set(statuses == 0, None),
            "error": _by_row(self.errors, count),
            "worker": _same(worker, count),
            "phase": pl.concat(self._phase_columns(count)),
            "trace_id": _by_row(self.traces, count),
        }
        return pl.DataFrame(columns).cast({"start_us": pl.Int64, "duration_us": pl.Int64})

    def _phase_columns(self, count: int) -> list[pl.Series]:
        ends = [*(row for row, _ in self.phases[1:]), count]
        parts = zip(self.phases, ends, strict=True)
        return [_same(phase, end - row) for (row, phase), end in parts]


def _same(text: str | None, count: int) -> pl.Series:
    return pl.repeat(text, count, dtype=pl.String, eager=True)


def _by_row(texts: dict[int, str], count: int) -> pl.Series:
    """Return a column that is null where there is no text."""
    if not texts:
        return _same(None, count)
    return pl.Series(map(texts.get, range(count)), dtype=pl.String)


def _texts(texts: list[str]) -> pl.Series:
    try:
        return pl.Series(texts, dtype=pl.String)
    except UnicodeEncodeError:
        return pl.Series(map(encodable, texts), dtype=pl.String)


def _microseconds(values: list[float], each: float) -> pl.Series:
    numbers = pl.Series(values, dtype=pl.Float64) * each
    return numbers.set(~numbers.is_between(-_MAX_US, _MAX_US), nan)


class RequestLog:
    """Rows of one worker, written to `directory` in chunks. A row costs 0.7 µs in all."""

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
        self._begin()

    def _begin(self) -> None:
        self._rows = Rows()
        self._last_phase: Phase | None = None

    @ordinarily("take")
    def add(
        self,
        request_type: str,
        name: str,
        response_time: float | None,
        exception: BaseException | str | None = None,
        start_time: float | None = None,
        response: object = None,
        context: Mapping[str, object] = {},
        **_: object,
    ) -> None:
        """Take one request as Locust's `request` event describes it; times in ms and seconds."""
        milliseconds = nan if response_time is None else float(response_time)
        if start_time is None:
            start_time = time.time() - (0 if isnan(milliseconds) else milliseconds) / 1000
        status = getattr(response, "status_code", None)
        known = status if isinstance(status, int) and 0 < status <= _MAX_STATUS else 0
        if exception is not None:
            self._rows.errors[len(self._rows)] = encodable(_describe(exception))
        if context and (trace := context.get("trace_id")):
            self._rows.traces[len(self._rows)] = encodable(str(trace))
        self.take(str(request_type), str(name), milliseconds, 0, float(start_time), known)

    def take(
        self, method: str, name: str, milliseconds: float, _size: int, start: float, status: int
    ) -> None:
        """Take an ordinary request (scenario's tally.py says which)."""
        rows = self._rows
        if self._ratio < 1 and self._random.random() >= self._ratio:
            rows.errors.pop(len(rows), None)
            rows.traces.pop(len(rows), None)
            return
        phase = self._phase()
        if phase is not self._last_phase:
            self._last_phase = phase
            rows.phases.append((len(rows), phase))
        cells = rows.cells
        cells += (method, name, milliseconds, start, status)
        if len(cells) >= _CHUNK_CELLS:
            self.write()

    def write(self) -> None:
        """Write what is in memory as one chunk, whole or not at all.

        What can't be written is gone: kept, it would take the worker's memory. The run's summary
        counts the rows and says how many are missing.
        """
        rows = self._rows
        if not rows.cells:
            return
        self._begin()
        path = self._directory / f"{self._worker}-{self._chunk:05}.parquet"
        self._chunk += 1
        try:
            frame = rows.frame(self._worker)
            self._directory.mkdir(parents=True, exist_ok=True)
            with replacing(path) as fresh:
                frame.write_parquet(
                    fresh, compression="zstd", compression_level=1, statistics=False
                )
        except (OSError, pl.exceptions.PolarsError) as error:
            count = len(rows)
            logger.warning("%d rows of the request log could not be written: %s", count, error)


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
