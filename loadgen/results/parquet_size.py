"""How large a Parquet file becomes when it is read, told without reading its columns.

A few packed kilobytes can hold gigabytes of a text that is repeated. So the pages' own headers are
read first, each of which says what a reader sets aside for its page (the format's specification:
https://github.com/apache/parquet-format, Thrift's compact protocol).
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

MAGIC = b"PAR1"
FOOTER_BYTES_MAX, HEADER_BYTES_MAX = 1 << 20, 1 << 16
PAGES_MAX, DEPTH_MAX = 1_000_000, 12
_SKIPPED = {3: 1, 7: 8}
"""Lengths of Thrift's byte and double."""
Value = int | bytes | list["Value"] | dict[int, "Value"] | None


def unpacked_bytes(file: BinaryIO, footer_bytes_max: int = FOOTER_BYTES_MAX) -> int:
    """Return the bytes of all pages, unpacked. ValueError: it is no Parquet file, or a strange one.

    `file` can seek.
    """
    end = file.seek(0, 2)
    if end < 12:
        raise ValueError("it is too short")
    file.seek(end - 8)
    size, magic = struct.unpack("<I4s", file.read(8))
    if magic != MAGIC or size > min(end - 12, footer_bytes_max):
        raise ValueError("it doesn't end as a Parquet file does")
    file.seek(end - 8 - size)
    footer = _Reader(file.read(size)).struct()
    pages = total = 0
    for start, length in _columns(footer):
        if start + length > end:
            raise ValueError("it is cut off: a column would extend beyond the end of the file")
        place = start
        while place < start + length:
            unpacked, packed, header = _page(file, place)
            pages, total, place = pages + 1, total + unpacked, place + header + packed
            if pages > PAGES_MAX:
                raise ValueError(f"it has more than {PAGES_MAX:,} pages")
    return total


def _columns(footer: dict[int, Value]) -> Iterator[tuple[int, int]]:
    """Yield where each column's pages of each group of rows begin, and their length."""
    for group in _all(footer.get(4)):
        for column in _all(group.get(1)):
            (told,) = _all([column.get(3)])
            starts = [one for one in (told.get(9), told.get(11)) if isinstance(one, int) and one]
            length = told.get(7)
            if not starts or not isinstance(length, int) or length < 0 or min(starts) < 0:
                raise ValueError("it doesn't give the position of a column")
            yield min(starts), length


def _all(value: Value) -> list[dict[int, Value]]:
    found = value if isinstance(value, list) else []
    return [one for one in found if isinstance(one, dict)]


def _page(file: BinaryIO, place: int) -> tuple[int, int, int]:
    file.seek(place)
    reader = _Reader(file.read(HEADER_BYTES_MAX))
    header = reader.struct()
    unpacked, packed = header.get(2), header.get(3)
    if not isinstance(unpacked, int) or not isinstance(packed, int) or min(unpacked, packed) < 0:
        raise ValueError("it doesn't give the length of a page")
    return unpacked, packed, reader.place


class _Reader:
    """Reads Thrift's compact protocol. ValueError: it is none."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self.place = 0

    def struct(self, depth: int = 0) -> dict[int, Value]:
        """Return a structure's fields by their numbers."""
        if depth > DEPTH_MAX:
            raise ValueError("it is nested too deeply")
        found: dict[int, Value] = {}
        number = 0
        while (head := self._byte()) != 0:
            kind, more = head & 15, head >> 4
            number = number + more if more else self._signed()
            found[number] = self._value(kind, depth + 1)
        return found

    def _value(self, kind: int, depth: int) -> Value:
        if kind in (1, 2):
            return None
        if kind in (4, 5, 6):
            return self._signed()
        if kind in _SKIPPED:
            return self._take(_SKIPPED[kind])
        if kind == 8:
            return self._take(self._unsigned())
        if kind in (9, 10):
            return self._list(depth)
        if kind == 12:
            return self.struct(depth)
        raise ValueError(f"it contains a value of the unknown type {kind}")

    def _list(self, depth: int) -> Value:
        head = self._byte()
        kind, count = head & 15, head >> 4
        count = self._unsigned() if count == 15 else count
        if count > len(self._content) or depth > DEPTH_MAX:
            raise ValueError("it contains a list that is too long or nested too deeply")
        if kind in (1, 2):
            return self._take(count)
        return [self._value(kind, depth + 1) for _ in range(count)]

    def _byte(self) -> int:
        return self._take(1)[0]

    def _take(self, size: int) -> bytes:
        taken = self._content[self.place : self.place + size]
        if len(taken) < size:
            raise ValueError("it is cut off")
        self.place += size
        return taken

    def _unsigned(self) -> int:
        found = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            found |= (byte & 127) << shift
            if byte < 128:
                return found
        raise ValueError("it contains a number that is too long")

    def _signed(self) -> int:
        found = self._unsigned()
        return (found >> 1) ^ -(found & 1)
