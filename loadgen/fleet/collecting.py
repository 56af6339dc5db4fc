"""Collects what one node has of a run: `logs/*` into hosts/<node>/, `results/*` into the run.

A host may have been taken over: what it sends is held to plain files of its own, within bounds.
Only the master's results belong to the run as a whole; a worker's go below its own hosts/<node>/.
"""

import gzip
import io
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO

from loadgen.fleet.connections.ssh import Remote, agent_command
from loadgen.fleet.requests import Collect
from loadgen.shared.errors import OperationError
from loadgen.shared.files import MINIMUM_FREE_BYTES

BYTES_MAX = 16 << 30
FILES_MAX = 100_000
CHUNK_BYTES = 1 << 20
HEADER_BYTES_MAX = 8 << 20
DAMAGED = (tarfile.TarError, EOFError, OSError, ValueError, zlib.error, RecursionError)


class _Archive(io.RawIOBase):
    """A gzip stream that is never asked for more at once than a tar's header may have."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._stream = gzip.GzipFile(fileobj=packed, mode="rb")

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= HEADER_BYTES_MAX:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()


def collect_node(remote: Remote, directory: Path, request: Collect, into_run: bool = False) -> None:
    """Fetch one tar and unpack it below `directory`; `into_run` for the master of the run.

    OperationError: it was cut off, damaged, or too large.
    """
    with tempfile.TemporaryFile() as fetched:
        stdin = request.model_dump_json().encode()
        spend = _budget(remote.node.name, Path(tempfile.gettempdir()))
        for chunk in remote.stream(agent_command(Collect), stdin):
            spend(len(chunk))
            fetched.write(chunk)
        fetched.seek(0)
        unpack(fetched, directory, remote.node.name, into_run)


def unpack(packed: IO[bytes], directory: Path, node: str, into_run: bool) -> None:
    """Unpack what a node sent. OperationError: it is damaged or too large."""
    own = directory / "hosts" / node
    bases = {"logs": own, "results": directory if into_run else own}
    directory.mkdir(parents=True, exist_ok=True)
    spend = _budget(node, directory)
    try:
        with tarfile.open(fileobj=_Archive(packed), mode="r:") as members:
            for number, member in enumerate(members):
                if number >= FILES_MAX:
                    raise OperationError(f"{node} sent more than {FILES_MAX:,} files: look there")
                # The list of members would grow with what comes.
                members.members = []  # type: ignore[attr-defined]
                target = _target(member, bases)
                content = members.extractfile(member) if target else None
                if target and content:
                    _copy(content, target, spend)
    except DAMAGED as error:
        raise OperationError(
            f"what {node} sent can't be unpacked ({error}); its own copy is in "
            "/var/lib/loadgen/runs and its journal"
        ) from error


def _target(member: tarfile.TarInfo, bases: dict[str, Path]) -> Path | None:
    """Return where a member belongs; None for what is no plain file, or has a way out."""
    kind, *parts = PurePosixPath(member.name).parts or ("",)
    plain = member.isreg() and not member.issparse()
    safe = all(part != ".." and part.isprintable() for part in parts) and parts[:1] != ["hosts"]
    return bases[kind].joinpath(*parts) if plain and safe and parts and kind in bases else None


def _copy(content: IO[bytes], target: Path, spend: Callable[[int], None]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        while chunk := content.read(CHUNK_BYTES):
            spend(len(chunk))
            file.write(chunk)


def _budget(node: str, directory: Path) -> Callable[[int], None]:
    """Return a function that is told of bytes before they are written, and refuses too many."""
    spent = 0

    def spend(size: int) -> None:
        nonlocal spent
        spent += size
        if spent > BYTES_MAX:
            raise OperationError(f"{node} sent more than {BYTES_MAX >> 30} GiB: look there")
        free = shutil.disk_usage(directory).free
        if free - size < MINIMUM_FREE_BYTES:
            raise OperationError(
                f"what {node} has does not fit: {directory} has {free >> 20} MiB free; make room, "
                "its own copy is in /var/lib/loadgen/runs"
            )

    return spend
