"""Opens a log, plain or packed (gzip, bzip2, xz, zstd, a zip with one file), piece by piece."""

import bz2
import gzip
import lzma
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from loadgen.shared.errors import UsageError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BROKEN = (
    *(EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zstd.ZstdError),
    *(zipfile.BadZipFile, RuntimeError, NotImplementedError),
)
"""What reading raises when the packed data is broken or ends early."""
_UNREAD = {
    b"\x04\x22\x4d\x18": "lz4 -d",
    b"\x1f\x9d": "uncompress",
    b"7z\xbc\xaf\x27\x1c": "7z x",
    b"Rar!": "unrar x",
}


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file, and what is in it if it is packed: a device or pipe may never end.

    Raises UsageError for a file that is packed in a way that isn't read.
    """
    if path.exists() and not path.is_file():
        raise UsageError(
            f"{path} is not a regular file: give the path of an access log, plain or compressed"
        )
    with path.open("rb") as file, ExitStack() as stack:
        magic = file.read(6)
        file.seek(0)
        for beginning, program in _UNREAD.items():
            if magic.startswith(beginning):
                raise UsageError(
                    f"{path} is compressed in a format that loadgen can't read: decompress "
                    f"it first, with {program}"
                )
        yield _unpacked(path, magic, file, stack)


def _unpacked(path: Path, magic: bytes, file: BinaryIO, stack: ExitStack) -> BinaryIO:
    if magic.startswith(b"\x1f\x8b"):
        return cast("BinaryIO", stack.enter_context(gzip.GzipFile(fileobj=file)))
    if magic.startswith(b"BZh"):
        return cast("BinaryIO", stack.enter_context(bz2.BZ2File(file)))
    if magic == b"\xfd7zXZ\x00":
        return cast("BinaryIO", stack.enter_context(lzma.LZMAFile(file)))
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        return cast("BinaryIO", stack.enter_context(zstd.ZstdFile(file)))
    if magic.startswith(b"PK\x03\x04"):
        archive = stack.enter_context(zipfile.ZipFile(file))
        names = [one for one in archive.namelist() if not one.endswith("/")]
        if len(names) != 1:
            raise UsageError(
                f"{path} is a zip archive with {len(names)} files: unpack it, and give "
                f"the path of each log"
            )
        return cast("BinaryIO", stack.enter_context(archive.open(names[0])))
    return file
