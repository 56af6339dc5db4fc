"""A worker's request log: every request with its times, kept as Parquet files."""

import logging
import os
import random
import sys
import time
from array import array
from collections import defaultdict
from collections.abc import Callable, Mapping
from math import nan
from pathlib import Path

# A worker has one core, and polars reads this when it is imported.
os.environ.setdefault("POLARS_MAX_THREADS", "1")
import polars as pl
from locust.env import Environment

from loadgen.node.statistics.odd_values import finite
from loadgen.node.statistics.request_log_format import CHUNK_ROWS, CHUNK_SCHEMA
from loadgen.scenario.http.outlet import ordinarily
from loadgen.scenario.http.tally import Ordinary
from loadgen.shared.files import replacing
from loadgen.shared.snapshot import Phase
from loadgen.shared.text import encodable

logger = logging.getLogger(__name__)
_MAX_STATUS = 65_535
_MAX_SECONDS = 1e12

Key = tuple[str, str, int] | tuple[str, str, int, str | None, str | None]
"""What requests that are alike have in common: method, name, status (0 for none), error, trace."""
Alike = defaultdict[Key, "array[float]"]
"""Of the requests that are alike: milliseconds (NaN for none) and start in Unix seconds, in turn.

No other way to keep a request costs as little: 16 bytes, and nothing for its texts.
"""


def _no_times() -> "array[float]":
    return array("d")


def _frame(alike: Alike, worker: str, phase: Phase) -> pl.DataFrame:
    """Return requests with CHUNK_SCHEMA's columns."""
    counts = [len(times) // 2 for times in alike.values()]
    cells = _numbers(b"".join(alike.values()))
    repeated = pl.int_range(len(counts)).repeat_by(pl.Series(counts)).explode().set_sorted()
    kind = pl.select(repeated).to_series()
    starts, durations = cells.gather_every(2, 1) * 1e6, cells.gather_every(2) * 1e3
    times = {"start_us": _whole(starts), "duration_us": _whole(durations)}
    lists = pl.DataFrame({"kind": kind, **times}).group_by("kind", maintain_order=True).agg(*times)
    columns = {
        "method": [encodable(key[0]) for key in alike],
        "name": [encodable(key[1]) for key in alike],
        "status": [key[2] or None for key in alike],
        "error": [key[3] if len(key) == 5 else None for key in alike],
        "worker": [worker] * len(counts),
        "phase": [phase] * len(counts),
        "trace_id": [key[4] if len(key) == 5 else None for key in alike],
    }
    texts = pl.DataFrame(columns, {name: CHUNK_SCHEMA[name] for name in columns})
    return pl.concat([lists, texts], how="horizontal").select(list(CHUNK_SCHEMA))


def _numbers(packed: bytes) -> pl.Series:
    """Return numbers of 8 bytes each. A fleet's hosts have no numpy, which would do the same."""
    several = pl.Array(pl.Float64, len(packed) // 8)
    return pl.Series([packed]).bin.reinterpret(dtype=several, endianness=sys.byteorder).explode()


def _whole(values: pl.Series) -> pl.Series:
    """Return whole numbers, null for what is none or is too large."""
    return values.round().cast(pl.Int64, strict=False)


class RequestLog:
    """Requests of one worker, written to `directory` in chunks of 16 bytes a request.

    `phase` is the run's; a chunk is of one phase.
    """

    def __init__(
        self,
        directory: Path,
        worker: str,
        sampling_ratio: float = 1.0,
        phase: Phase = "measured",
    ) -> None:
        self._directory, self._worker, self._phase = directory, worker, phase
        self._ratio, self._random = sampling_ratio, random.Random(worker)
        self._chunk = 0
        self._alike: Alike = defaultdict(_no_times)
        take_all, self._keep, self._begin = self._keepers()
        self.take = take_all if sampling_ratio >= 1 else self._take_some

    def _keepers(self) -> tuple[Ordinary, Callable[[Key, float, float], None], Callable[[], None]]:
        """Return what keeps an ordinary request, what keeps any, and what begins a chunk.

        They are functions with what they need at hand: looked up in an object, it would cost each
        request a third more.
        """
        alike, left = self._alike, CHUNK_ROWS

        def take(
            method: str, name: str, milliseconds: float, _size: int, start: float, status: int
        ) -> None:
            nonlocal left
            times = alike[method, name, status]
            times.append(milliseconds)
            times.append(start)
            left -= 1
            if not left:
                self.write()

        def keep(key: Key, milliseconds: float, start: float) -> None:
            nonlocal left
            times = alike[key]
            times.append(milliseconds)
            times.append(start)
            left -= 1
            if not left:
                self.write()

        def begin() -> None:
            nonlocal left
            left = CHUNK_ROWS
            alike.clear()

        return take, keep, begin

    def enter(self, phase: Phase) -> None:
        """Write what was of the phase until now, if the phase is another."""
        if phase != self._phase:
            self.write()
            self._phase = phase

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
        milliseconds, start = finite(response_time), finite(start_time)
        if start is None or abs(start) > _MAX_SECONDS:
            start = time.time() - (milliseconds or 0) / 1000
        status = getattr(response, "status_code", None)
        known = int(status) if isinstance(status, int) and 0 < status <= _MAX_STATUS else 0
        trace = context.get("trace_id") if context else None
        if self._ratio >= 1 or self._random.random() < self._ratio:
            error = None if exception is None else encodable(_describe(exception))
            traced = encodable(str(trace)) if trace else None
            key = str(request_type), str(name), known, error, traced
            # A time below 0 counts as 0, as it does in the statistics.
            self._keep(key, nan if milliseconds is None else max(0.0, milliseconds), start)

    def _take_some(
        self, method: str, name: str, milliseconds: float, _size: int, start: float, status: int
    ) -> None:
        if self._random.random() < self._ratio:
            self._keep((method, name, status), milliseconds, start)

    def write(self) -> None:
        """Write what is in memory as one chunk, whole or not at all.

        What can't be written is gone: kept, it would take the worker's memory. The run's summary
        counts the rows and says how many are missing.
        """
        alike = self._alike.copy()
        if not alike:
            return
        self._begin()
        path = self._directory / f"{self._worker}-{self._chunk:05}.parquet"
        self._chunk += 1
        try:
            frame = _frame(alike, self._worker, self._phase)
            self._directory.mkdir(parents=True, exist_ok=True)
            with replacing(path) as fresh:
                # Packing would cost a loaded worker more than the rest does: `merge_log` packs.
                frame.write_parquet(fresh, compression="uncompressed", statistics=False)
        except (OSError, pl.exceptions.PolarsError) as error:
            count = sum(len(times) // 2 for times in alike.values())
            logger.warning("%d rows of the request log could not be written: %s", count, error)


def _describe(error: BaseException | str) -> str:
    return error if isinstance(error, str) else f"{type(error).__name__}: {error}"


def install(
    environment: "Environment", directory: Path, worker: str, ratio: float, phase: Phase
) -> RequestLog:
    """Log every request of this worker; what is in memory is written when the test stops."""
    log = RequestLog(directory, worker, ratio, phase)
    environment.events.request.add_listener(log.add)
    environment.events.test_stop.add_listener(lambda **_: log.write())
    environment.events.quitting.add_listener(lambda **_: log.write())
    return log
