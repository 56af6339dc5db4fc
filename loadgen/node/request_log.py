"""A worker's request log: one row a request, kept as Parquet files."""

import logging
import random
import time
from array import array
from collections.abc import Callable
from pathlib import Path

import polars as pl
from locust.env import Environment

from loadgen.shared.files import replacing
from loadgen.shared.snapshot import Phase

logger = logging.getLogger(__name__)
CHUNK_ROWS = 10_000


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


_NOTHING = -1


class RequestLog:
    """Columns of one worker, written to `directory` in chunks.

    A row costs about a microsecond: numbers go into arrays, texts become small numbers that are
    turned back when a chunk is written.
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
        self._texts: dict[str, int] = {}
        self._clear()

    def _clear(self) -> None:
        self._starts, self._durations, self._statuses = array("q"), array("q"), array("i")
        self._methods, self._names, self._errors = array("i"), array("i"), array("i")
        self._phases = array("i")

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
        self._phases.append(self._code(self._phase()))
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
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            with replacing(path) as fresh:
                frame.write_parquet(fresh, compression="zstd", compression_level=1)
        except (OSError, pl.exceptions.PolarsError) as error:
            logger.warning("%d rows of the request log could not be written: %s", len(frame), error)

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
                "phase": texts.gather(known(self._phases)),
            }
        )


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
