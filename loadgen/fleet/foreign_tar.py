"""A gzipped tar from elsewhere, read one member after the other with a bounded memory.

A few packed kilobytes can announce a header of gigabytes, a list of sparse pieces without end, or
members by the million. So all that is read between two contents is bounded, and no member is kept.
"""

import gzip
import io
import tarfile
import zlib
from collections.abc import Iterator
from typing import IO

HEADERS_BYTES_MAX = 1 << 20
DAMAGED = (tarfile.TarError, EOFError, OSError, ValueError, zlib.error, RecursionError)
"""What reading such an archive raises when it is none, or goes beyond the bounds."""


class _Bounded(io.RawIOBase):
    """A gzip stream from which so many bytes are read and no more, until more are allowed."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._stream = gzip.GzipFile(fileobj=packed, mode="rb")
        self._left = HEADERS_BYTES_MAX

    def allow(self, size: int) -> None:
        self._left = size

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= self._left:
            raise tarfile.ReadError(
                f"a part of it has more than the allowed {max(self._left, 0):,} bytes"
            )
        self._left -= size
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


def members_of(packed: IO[bytes]) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """Yield each member with its content (None: it has none), to be read before the next one.

    `packed` can seek. Raises what `DAMAGED` names.
    """
    stream = _Bounded(packed)
    with tarfile.open(fileobj=stream, mode="r:") as archive:
        while (member := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]
            is_plain = member.isreg() and not member.issparse()
            stream.allow(member.size)
            yield member, archive.extractfile(member) if is_plain else None
            stream.allow(HEADERS_BYTES_MAX)
