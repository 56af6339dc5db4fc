"""Files that are written whole or not at all, and the lock of a results directory."""

import contextlib
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from loadgen.shared.errors import BusyError, UsageError

MINIMUM_FREE_BYTES = 32 * 1024 * 1024


@contextlib.contextmanager
def hold(results: Path) -> Iterator[None]:
    """Hold the results directory for one run at a time; BusyError when another holds it.

    The lock is the directory's own and goes with the process, however it ends.
    """
    _prepare(results)
    descriptor = os.open(results, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BusyError(
                f"another run is under way with {results}: two runs on one machine would disturb "
                "each other's measurement; wait for it, or stop it with Ctrl-C"
            ) from error
        yield
    finally:
        os.close(descriptor)


def _prepare(results: Path) -> None:
    """Make sure that results can be written; UsageError says why not."""
    try:
        results.mkdir(parents=True, exist_ok=True)
        probe = results / f".probe-{secrets.token_hex(4)}"
        probe.write_text("probe")
        probe.unlink()
        free = shutil.disk_usage(results).free
    except OSError as error:
        raise UsageError(
            f"results directory {results} can't be written ({error.strerror}): make it writable, "
            "or give another with --results"
        ) from error
    if free < MINIMUM_FREE_BYTES:
        raise UsageError(
            f"results directory {results} has {free // 1024**2} MiB free, a run needs at least "
            f"{MINIMUM_FREE_BYTES // 1024**2} MiB: make room, or give another with --results"
        )


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(text, newline="", errors="backslashreplace")
    fresh.replace(path)


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file whole, or leave it as it was. Raises OSError."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o640)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
