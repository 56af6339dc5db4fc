"""Files and links that are replaced whole or not at all, locks, and room for results."""

import codecs
import contextlib
import errno
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from loadgen.shared.errors import BusyError, UsageError
from loadgen.shared.text import DOCUMENT_VALUES_MAX, require_few_values

MINIMUM_FREE_BYTES = 32 * 1024 * 1024
DOCUMENT_BYTES_MAX = 64 << 20
"""Of a file of a run that is read as a whole, such as its summary."""
REPOSITORYS = frozenset({".git", ".hg", "head"})
"""Names that make a directory a repository of Git's (`HEAD`: a bare one) or Mercurial's."""


@contextlib.contextmanager
def hold(results: Path) -> Iterator[None]:
    """Hold the results directory for one run at a time; BusyError when another holds it.

    The lock is the directory's own and goes with the process, however it ends.
    """
    _prepare(results)
    descriptor = os.open(results, os.O_RDONLY)
    try:
        try:
            lock(descriptor)
        except BlockingIOError as error:
            raise BusyError(
                f"another run is under way with {results}: two runs on one machine would disturb "
                "each other's measurement; wait for it, or stop it with Ctrl-C"
            ) from error
        yield
    finally:
        os.close(descriptor)


def open_regular(path: Path) -> BinaryIO:
    """Open a file that is one: a pipe or a device would keep the reader waiting. Raises OSError."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    return file


def read_regular(path: Path, bytes_max: int = DOCUMENT_BYTES_MAX) -> bytes:
    """Read a regular file of a bounded size. Raises OSError."""
    with open_regular(path) as file:
        # Memory is set aside for as much as is asked for, so a small file is asked for its size.
        content = file.read(min(os.fstat(file.fileno()).st_size, bytes_max) + 1)
    if len(content) > bytes_max:
        raise OSError(errno.EFBIG, f"it has more than {bytes_max >> 20} MiB", str(path))
    return content


def read_document(path: Path, values_max: int = DOCUMENT_VALUES_MAX) -> bytes:
    """Read a JSON file of a run, which may be another person's or a host's.

    The byte order mark that editors of Windows write is left out. Raises OSError, and ValueError
    when it could hold more values than `values_max`.
    """
    return require_few_values(read_regular(path).removeprefix(codecs.BOM_UTF8), values_max)


def write_texts(texts: Mapping[Path, str]) -> None:
    """Write what was asked for with `--output`, in UTF-8. UsageError: a file can't be written."""
    for path, text in texts.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as fault:
            reason = f"{path} can't be written: {fault.strerror}; give another path with --output"
            raise UsageError(reason) from fault


def lock(descriptor: int) -> None:
    """Lock an open file or directory until it is closed. BlockingIOError: another one has it."""
    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


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
            f"results directory {results} can't be written ({error.strerror}): make "
            f"it writable, or give another directory with --results"
        ) from error
    if free < MINIMUM_FREE_BYTES:
        raise UsageError(
            f"results directory {results} has {free // 1024**2} MiB free, but a run needs at least "
            f"{MINIMUM_FREE_BYTES // 1024**2} MiB: make room, or give another directory "
            f"with --results"
        )


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a fresh name beside `path`; what the block makes there takes the place of `path`.

    `path` is at no moment half of it, or nothing. A block that fails leaves it as it was.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        yield fresh
        fresh.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise


def open_like(target: Path, sources: Iterable[Path]) -> BinaryIO:
    """Open a new file for copies of others; if not all may read each of those, nobody else may.

    A file that is there already keeps its mode. Raises OSError.
    """
    is_open = all(source.stat().st_mode & stat.S_IROTH for source in sources)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    return os.fdopen(os.open(target, flags, 0o644 if is_open else 0o600), "wb")


def is_of_a_repository(names: Iterable[str]) -> bool:
    """Tell whether a path from elsewhere would put a repository into a directory of ours.

    Git carries out commands that a repository's configuration names, and so does each prompt of a
    shell that asks Git (https://git-scm.com/docs/git-config, core.fsmonitor, safe.bareRepository).
    """
    return any(name.lower() in REPOSITORYS for name in names)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    with replacing(path) as fresh:
        fresh.write_text(text, newline="", errors="backslashreplace")


def write_synced(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, and on the disk before this returns. Raises OSError."""
    with replacing(path) as fresh:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)


def point(link: Path, name: str) -> None:
    """Let a symbolic link name a neighbour, at no moment nothing."""
    with replacing(link) as fresh:
        fresh.symlink_to(name)
