"""Reads access logs, plain or gzip, several in the order of their times, a line at a time."""

import gzip
import itertools
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from loadgen.access_logs.lines import EXPECTED, Hit, Parse, recognise
from loadgen.shared.errors import UsageError
from loadgen.shared.text import plain_line

LONGEST_LINE_BYTES = 64 * 1024
SAMPLE_LINES = 200
SHOWN_CHARACTERS = 60
_GZIP = b"\x1f\x8b"


@dataclass
class Reading:
    """What reading came to: lines that were read, lines that could not be, and why files ended."""

    lines: int = 0
    broken: int = 0
    first_broken: str = ""
    cut: list[str] = field(default_factory=list)

    def hits(self, paths: Sequence[Path]) -> Iterator[Hit]:
        """Yield each hit of the files, the earliest file first.

        UsageError: a file can't be read, or is in no known format.
        """
        begun = []
        for path in paths:
            parse, first = self._begin(path)
            begun.append((first, path, parse))
        for _, path, parse in sorted(begun, key=lambda one: one[0]):
            yield from self._of_file(path, parse)

    def _begin(self, path: Path) -> tuple[Parse, float]:
        """Return a file's reader and the time of its first hit."""
        sample = [line for _, line in itertools.islice(self._text(path), SAMPLE_LINES)]
        self.cut.clear()
        used = [line for line in sample if line.strip()]
        parse = recognise(used)
        if parse is None:
            shown = plain_line(used[0][:SHOWN_CHARACTERS]) if used else ""
            what = f"line 1 is {shown!r}" if used else "it is empty"
            raise UsageError(
                f"{path} is no access log that can be read: {what}, and what is expected is"
                f" {EXPECTED}"
            )
        return parse, next(hit.time for hit in map(parse, used) if hit)

    def _of_file(self, path: Path, parse: Parse) -> Iterator[Hit]:
        for number, line in self._text(path):
            if not line.strip():
                continue
            hit = parse(line)
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
            with _opened(path) as file:
                while line := file.readline(LONGEST_LINE_BYTES):
                    number += 1
                    text = line.decode("utf-8", "replace")
                    if number == 1:
                        text = text.removeprefix("\ufeff")
                    while line and not line.endswith(b"\n"):
                        line = file.readline(LONGEST_LINE_BYTES)
                    yield number, text
        except (EOFError, zlib.error, gzip.BadGzipFile) as fault:
            if not number:
                raise UsageError(
                    f"{path} is a gzip file that can't be read: {fault}; give a whole one, or what"
                    " was in it"
                ) from fault
            self.cut.append(f"{path} ends in the middle of its gzip data, after line {number}")
        except OSError as fault:
            raise UsageError(
                f"{path} can't be read: {fault.strerror or fault}; give the path of an access log,"
                " plain or gzip"
            ) from fault


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file, and what is in it if it is gzip: a device or pipe may never end."""
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is no regular file: give an access log, plain or gzip")
    with path.open("rb") as file:
        is_gzip = file.read(2) == _GZIP
        file.seek(0)
        if not is_gzip:
            yield file
            return
        with gzip.GzipFile(fileobj=file) as unpacked:
            # GzipFile has all that a binary file has for reading.
            yield unpacked  # type: ignore[misc]
