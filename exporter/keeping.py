"""What the exporter keeps in files: the last scrape of a test, and the counters' base.

The last scrape is written when a test's final statistics have arrived and again on exit. The base
(sums before the current epoch) is written when an epoch begins, and on exit with what came since:
with it the next exporter goes on counting where this one was, in the same test or in the next run.
"""

import sys
from dataclasses import astuple
from pathlib import Path
from typing import Any

import msgpack

from exporter.collector import LocustCollector
from exporter.exposition import Exposition
from exporter.histogram import EDGE_LABELS
from exporter.totals import Key, Sums
from loadgen.shared.files import write_synced
from loadgen.shared.snapshot import Snapshot

EXIT_NOT_WRITTEN = 4


class KeptFiles:
    """Writes both files; a fault is said once on stderr and in the exit code of `close`."""

    def __init__(
        self, collector: LocustCollector, last_scrape: Path | None, state: Path | None
    ) -> None:
        self._collector = collector
        self._exposition = Exposition(collector)
        self._last_scrape = last_scrape
        self._state = state
        self._finished_epoch = ""
        self._fault: str | None = None

    def restore(self) -> None:
        """Read the base of an earlier process; one that can't be used is left aside."""
        if self._state is None or not self._state.exists():
            return
        try:
            epoch, base, seen = _read_counts(self._state.read_bytes())
        except (OSError, ValueError, KeyError, TypeError, msgpack.UnpackException) as error:
            print(
                f"Counters start from zero: {self._state} can't be used: {error}", file=sys.stderr
            )
            return
        self._collector.restore(epoch, base, seen)

    def follow(self, snapshot: Snapshot, *, another_epoch: bool) -> None:
        """Write what this snapshot calls for."""
        if another_epoch and self._state is not None:
            self._write(self._state, self._packed_counts(leaving=False))
        if snapshot.final and snapshot.epoch != self._finished_epoch:
            self._finished_epoch = snapshot.epoch
            self._write_last_scrape()

    def close(self) -> int:
        """Write the last scrape for the last time; return the exit code."""
        self._write_last_scrape()
        if self._state is not None and self._collector.last is not None:
            self._write(self._state, self._packed_counts(leaving=True))
        return EXIT_NOT_WRITTEN if self._fault else 0

    def _packed_counts(self, *, leaving: bool) -> bytes:
        epoch, base, seen = self._collector.counts()
        kept = {"edges": EDGE_LABELS, "epoch": epoch, "base": _rows(base)}
        packed: bytes = msgpack.packb(kept | ({"seen": _rows(seen)} if leaving else {}))
        return packed

    def _write_last_scrape(self) -> None:
        if self._last_scrape is not None and self._collector.last is not None:
            _, content = self._exposition.render(as_of_last_snapshot=True)
            self._write(self._last_scrape, content)

    def _write(self, path: Path, content: bytes) -> None:
        try:
            write_synced(path, content)
            self._fault = None
        except OSError as error:
            if self._fault is None:
                print(f"{path} could not be written: {error.strerror}", file=sys.stderr)
            self._fault = str(error)


def _rows(sums: dict[Key, Sums]) -> list[object]:
    return [[method, name, astuple(totals)] for (method, name), totals in sums.items()]


def _sums(rows: list[Any]) -> dict[Key, Sums]:
    return {(method, name): Sums(*row) for method, name, row in rows}


def _read_counts(
    content: bytes,
) -> tuple[str, dict[Key, Sums], dict[Key, Sums] | None]:
    kept = msgpack.unpackb(content)
    if kept["edges"] != list(EDGE_LABELS):
        raise ValueError("its histogram buckets differ from those of this release")
    return kept["epoch"], _sums(kept["base"]), _sums(kept["seen"]) if "seen" in kept else None
