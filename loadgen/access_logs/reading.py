"""Reads access logs, plain or packed, several in the order of their times, a line at a time."""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path

from loadgen.access_logs.formats import EXPECTED, kind_of, recognise
from loadgen.access_logs.lines import Hit, Parse
from loadgen.access_logs.unpacking import BROKEN, opened
from loadgen.access_logs.w3c import W3C
from loadgen.access_logs.zones import LocalClock
from loadgen.shared.errors import UsageError
from loadgen.shared.text import plain_line

LONGEST_LINE_BYTES = 64 * 1024
SAMPLE_LINES = 200
SHOWN_CHARACTERS = 60


_CLOCK = re.compile(
    r"(?<!\d)\d\d:\d\d:\d\d(?:[.,]\d+)?(?P<zone>\s?(?:Z|UTC|GMT|[+-]\d\d(?::?\d\d)?)\b)?"
)


@dataclass
class LogReading:
    """What reading came to: lines that were read, lines that could not be, and why files ended.

    `zoneless` are the files whose times have no zone, so that they were taken as `zone`'s.
    """

    zone: tzinfo = UTC
    lines: int = 0
    broken: int = 0
    first_broken: str = ""
    cut: list[str] = field(default_factory=list)
    zoneless: list[Path] = field(default_factory=list)

    def hits(self, paths: Sequence[Path]) -> Iterator[Hit]:
        """Yield each hit of the files, the earliest file first.

        UsageError: a file can't be read, or is in no known format.
        """
        begun = []
        for path in paths:
            parse, first = self._begin(path)
            begun.append((first, path, parse))
        for _, path, parse in sorted(begun, key=lambda one: one[0]):
            hits = self._of_file(path, parse)
            if path not in self.zoneless or self.zone is UTC:
                yield from hits
                continue
            local = LocalClock(self.zone)
            for hit in hits:
                yield hit._replace(time=local.moment(hit.time))

    def _begin(self, path: Path) -> tuple[Parse, float]:
        """Return a file's reader and the time of its first hit."""
        sample = [line for _, line in itertools.islice(self._text(path), SAMPLE_LINES)]
        self.cut.clear()
        used = [line for line in sample if line.strip()]
        parse = recognise(used)
        if parse is None:
            kind = kind_of(used[0]) if used else ""
            if kind:
                raise UsageError(f"{path} can't be read as an access log: it {kind}")
            shown = plain_line(used[0].strip()[:SHOWN_CHARACTERS]) if used else ""
            what = f"line 1 is {shown!r}" if used else "it is empty"
            raise UsageError(
                f"{path} can't be read as an access log: {what}, but each line of "
                f"a log must have one of these formats: {EXPECTED}"
            )
        first, hit = next((line, hit) for line in used if (hit := parse(line)))
        if not isinstance(parse, W3C) and _lacks_zone(first):
            self.zoneless.append(path)
            return parse, LocalClock(self.zone).moment(hit.time)
        return parse, hit.time

    def _of_file(self, path: Path, parse: Parse) -> Iterator[Hit]:
        for number, line in self._text(path):
            if not line.strip():
                continue
            hit = parse(line)
            if hit is None and line.startswith("#"):
                continue
            self.lines += 1
            if hit is None:
                self.broken += 1
                self.first_broken = self.first_broken or f"{path} line {number}"
            else:
                yield hit

    def _text(self, path: Path) -> Iterator[tuple[int, str]]:
        """Yield numbered lines; of one that is too long only its beginning."""
        number = 0
        try:
            with opened(path) as file:
                while line := file.readline(LONGEST_LINE_BYTES):
                    number += 1
                    text = line.decode("utf-8", "surrogateescape")
                    if number == 1:
                        text = text.removeprefix("\ufeff")
                    while line and not line.endswith(b"\n"):
                        line = file.readline(LONGEST_LINE_BYTES)
                    yield number, text
        except BROKEN as fault:
            if not number:
                raise UsageError(
                    f"{path} is compressed, but it can't be decompressed: {fault}; give a complete "
                    f"file, or decompress it first"
                ) from fault
            self.cut.append(f"{path} is cut off: its compressed data ends after line {number}")
        except OSError as fault:
            raise UsageError(
                f"{path} can't be read: {fault.strerror or fault}; give the path of an "
                f"access log, plain or compressed"
            ) from fault


def _lacks_zone(line: str) -> bool:
    """Tell whether a line has times of day, and none of them a zone."""
    zones = [found["zone"] for found in _CLOCK.finditer(line)]
    return bool(zones) and not any(zones)
