"""What a node keeps of runs, as its agent handles it: as the runs' own user, never as root.

    /var/lib/loadgen/runs/<run_id>/      results on a master, the request log on a worker
    /var/lib/loadgen/verdicts/<run_id>/  what each of the newest runs came to, for the exporter
    /run/loadgen/                        run.json, the last scrape

Both belong to that user, so whatever runs as it can put links there.
"""

import contextlib
import errno
import io
import itertools
import os
import pwd
import stat
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from loadgen.shared.errors import OperationError
from loadgen.shared.run_ids import SPECIFICATION_FILE, SUMMARY_FILE, run_directory

STATE = Path("/var/lib/loadgen")
RUNS = STATE / "runs"
VERDICTS = STATE / "verdicts"
VERDICTS_MAX, VERDICTS_SEEN = 200, 1200
USER = "loadgen"
LAST_SCRAPE_SECONDS = 5.0
KEPT_BYTES_MAX = 1 << 20
SCRAPE_BYTES_MAX = 64 << 20
COLLECTED_BYTES_MAX = 16 << 30
COLLECTED_FILES_MAX = 100_000


@contextmanager
def as_owner() -> Iterator[None]:
    """Do file work in the runs' directories as the user that runs them, who may write there.

    A link that this user's processes made could lead root anywhere, but leads this user nowhere
    new.
    """
    owner, groups = pwd.getpwnam(USER), os.getgroups()
    group, user = os.getegid(), os.geteuid()
    os.setgroups([owner.pw_gid])
    os.setegid(owner.pw_gid)
    os.seteuid(owner.pw_uid)
    try:
        yield
    finally:
        os.seteuid(user)
        os.setegid(group)
        os.setgroups(groups)


def make_results(directory: Path, specification: str) -> None:
    """Make a run's directory on its master, with what another process needs to end the run."""
    with as_owner():
        for path in (directory.parent, directory):
            path.mkdir(mode=0o750, exist_ok=True)
        _write_anew(directory / SPECIFICATION_FILE, specification)


def share(directory: Path) -> None:
    """Let the runs' group read what root has made, and keeps from being changed."""
    group = pwd.getpwnam(USER).pw_gid
    for path in (directory, *directory.rglob("*")):
        os.chown(path, -1, group, follow_symlinks=False)
        if not path.is_symlink():
            # Whatever root's umask was.
            path.chmod(0o750 if path.is_dir() else 0o640)


def create(path: Path, text: str) -> None:
    """Make a file for its owner alone. FileExistsError: something is there already."""
    with as_owner():
        _create(path, text)


def discard(path: Path) -> None:
    """Remove a file, or whatever lies in its place."""
    with as_owner():
        _discard(path)


def _create(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def _discard(path: Path, *, ignore_errors: bool = False) -> None:
    try:
        path.unlink(missing_ok=True)
    except IsADirectoryError:
        # Python's own removal is recursive, and a thousand nested directories exceed its stack.
        command = ["rm", "-rf", "--", str(path)]
        ended = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
        if ended.returncode and not ignore_errors:
            raise
    except OSError:
        if not ignore_errors:
            raise


def _write_anew(path: Path, text: str) -> None:
    # Opening a pipe in its place would block until somebody reads it.
    _discard(path)
    _create(path, text)


def read_kept(path: Path, bytes_max: int = KEPT_BYTES_MAX) -> str | None:
    """Return a file's text, None if it isn't there. OperationError: too long, or no plain file."""
    content = _read(path, bytes_max)
    return None if content is None else content.decode(errors="replace")


def changed_at(path: Path) -> float | None:
    """Return when a file was changed (Unix seconds), None when it isn't there."""
    with as_owner(), contextlib.suppress(OSError):
        return path.lstat().st_mtime
    return None


def _read(path: Path, bytes_max: int) -> bytes | None:
    # Opening a pipe would block, and a sparse file would fill the memory.
    with as_owner():
        try:
            file = _open(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OperationError(
                f"{path} can't be read ({error.strerror}); log in to that host and check this file"
            ) from error
        with file:
            content = file.read(bytes_max + 1)
    if len(content) > bytes_max:
        raise OperationError(
            f"{path} has more than {bytes_max:,} bytes; log in to that host and check this file"
        )
    return content


def _open(path: Path) -> BinaryIO:
    """Open a plain file. OSError: it is something else."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    file = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is not a regular file")
    return file


def add_results(packed: tarfile.TarFile, directory: Path) -> None:
    """Add each plain file of a run as results/<its path>; links are nothing to the other end.

    OperationError: there are more files, or more bytes, than a controller takes.
    """
    bytes_left, files_left = COLLECTED_BYTES_MAX, COLLECTED_FILES_MAX
    with as_owner():
        for path in _names_below(directory):
            if path.name == SPECIFICATION_FILE:
                continue
            try:
                file = _open(path)
            except OSError:
                continue
            with file:
                member = packed.gettarinfo(
                    arcname=f"results/{path.relative_to(directory)}", fileobj=file
                )
                bytes_left, files_left = bytes_left - member.size, files_left - 1
                if bytes_left < 0 or files_left < 0:
                    raise OperationError(
                        f"{directory} has more than {COLLECTED_BYTES_MAX >> 30} GiB or "
                        f"{COLLECTED_FILES_MAX:,} files; log in to that host and check this"
                        f" directory"
                    )
                packed.addfile(member, _Filled(file))


class _Filled(io.RawIOBase):
    """A file that is as long as asked for: what was cut off since its length was told is zeros.

    A tar has told the length by then, and everything after a shorter content would be lost.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        return self._file.read(size).ljust(size, b"\0")


def _names_below(directory: Path) -> Iterator[Path]:
    """Yield what is below a directory and is none, however deep and however many it is."""
    waiting = [directory]
    while waiting:
        if len(waiting) > COLLECTED_FILES_MAX:
            raise OperationError(
                f"{directory} has more than {COLLECTED_FILES_MAX:,} directories; log in "
                f"to that host and check this directory"
            )
        # Files that have been moved meanwhile, and paths that are too long for the system, are
        # left out.
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(Path(entry.path))
                else:
                    yield Path(entry.path)


def remove(run_id: str) -> None:
    """Remove a run's directory."""
    with as_owner():
        _discard(run_directory(RUNS, run_id), ignore_errors=True)


def keep_figures(run_id: str, figures: str) -> None:
    """Write what a run came to as `summary.json`; the oldest runs' figures make room."""
    with as_owner():
        directory = run_directory(VERDICTS, run_id)
        for path in (VERDICTS, directory):
            path.mkdir(mode=0o750, exist_ok=True)
        being_written = directory / "summary.json.new"
        _write_anew(being_written, figures)
        being_written.replace(directory / SUMMARY_FILE)
        for path in _oldest_verdicts():
            _discard(path, ignore_errors=True)


def _oldest_verdicts() -> list[Path]:
    """Return those beyond the newest; however many names there are, some are looked at."""
    found: list[tuple[float, Path]] = []
    with os.scandir(VERDICTS) as entries:
        for entry in itertools.islice(entries, VERDICTS_SEEN):
            with contextlib.suppress(OSError):
                found.append((entry.stat(follow_symlinks=False).st_mtime, Path(entry.path)))
    return [path for _, path in sorted(found, reverse=True)[VERDICTS_MAX:]]


def last_scrape(state_directory: Path, run_id: str) -> bytes:
    """Return the exporter's last scrape of this run; it follows the final snapshot shortly."""
    path = state_directory / "metrics.prom"
    deadline = time.monotonic() + LAST_SCRAPE_SECONDS
    while time.monotonic() < deadline:
        content = _read(path, SCRAPE_BYTES_MAX) or b""
        if f'run_id="{run_id}"'.encode() in content:
            return content
        time.sleep(0.1)
    return b""


def add(packed: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add bytes as a file."""
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(content), 0o644, int(time.time())
    packed.addfile(member, io.BytesIO(content))
