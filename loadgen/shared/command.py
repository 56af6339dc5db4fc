"""How an entry point ends: with its exit code, and a fault as one sentence, never a traceback."""

import errno
import io
import sys
from collections.abc import Callable
from typing import Any

from loadgen.shared.errors import LoadgenError, OperationError
from loadgen.shared.text import plain

# What the system refuses because of a path, its owner or its disk, and not because of a fault here.
REFUSED = frozenset(
    (
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.ENOTDIR,
        errno.ENAMETOOLONG,
        errno.ELOOP,
    )
)
NO_TEMPORARY = "No usable temporary directory"
"""What Python's `tempfile` says first where it finds no directory that can be written to."""


class _Heedless(io.FileIO):
    """A file whose reader may go."""

    def write(self, data: Any, /) -> int:  # noqa: ANN401  what a buffer is has no name in 3.11
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            return memoryview(data).nbytes


def outlive_readers() -> None:
    """Let this process go on when nobody reads its output any more, as after `loadgen run | head`.

    What it prints then goes nowhere. A run would otherwise end, and its results would be lost. For
    the same reason a character that the terminal's encoding lacks is printed as its code.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper) or stream is not getattr(sys, f"__{name}__"):
            continue
        stream.flush()
        heedless = io.BufferedWriter(_Heedless(stream.fileno(), "wb", closefd=False))
        line_by_line = stream.line_buffering or name == "stderr"
        text = io.TextIOWrapper(
            heedless, stream.encoding, "backslashreplace", line_buffering=line_by_line
        )
        setattr(sys, name, text)


def ending(carry_out: Callable[[], int | None], name: str = "") -> int:
    """Carry out a command and return its exit code, 0 for None.

    A LoadgenError is printed on standard error, after `name`, and gives its own code; so does a
    path that the system refuses, with the code of an OperationError. What they quote may come from
    a host or a target, so that it is printed without control characters.
    """
    try:
        return carry_out() or 0
    except LoadgenError as error:
        return _told(name, error)
    except OSError as error:
        if error.filename is None and (error.strerror or "").startswith(NO_TEMPORARY):
            return _told(name, OperationError(f"{error.strerror}: set TMPDIR to one of your own"))
        if error.filename is None or error.errno not in REFUSED:
            raise
        return _told(
            name,
            OperationError(
                f"{error.filename} can't be used ({error.strerror}): check its permissions and the "
                "free space there, or give another path"
            ),
        )


def _told(name: str, error: LoadgenError) -> int:
    print(f"{name}: " * bool(name) + plain(str(error)), file=sys.stderr)
    return error.exit_code
