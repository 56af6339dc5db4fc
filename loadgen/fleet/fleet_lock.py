"""Who on this machine looks after a fleet's run: the process that started it, while it lives.

The lock goes with that process, however it ends. It is held on this machine, as what a host says of
places here is not to be relied on. The run's directory has a mark of the fleet, so that a host can
have its results put into its own run only.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from loadgen.results.summary import load_summary
from loadgen.shared.errors import BusyError, OperationError, UsageError
from loadgen.shared.files import lock
from loadgen.shared.run_ids import run_directory

MARK = ".fleet"


def take(inventory: Path) -> int:
    """Lock a fleet until the returned descriptor is closed. BusyError: its run is looked after."""
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    name = hashlib.sha256(str(inventory.resolve()).encode()).hexdigest()
    path = state / "loadgen" / f"{name[:32]}.lock"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise UsageError(
            f"{path} can't be written ({error.strerror}), but a run on a fleet needs "
            f"a lock file there: set XDG_STATE_HOME to a directory of your own"
        ) from error
    try:
        lock(descriptor)
    except BlockingIOError as error:
        os.close(descriptor)
        raise BusyError(
            f"another command of yours is already working on a run of {inventory};"
            " wait for it to end"
        ) from error
    return descriptor


@contextlib.contextmanager
def held(inventory: Path) -> Iterator[None]:
    """Hold a fleet while the block runs. BusyError: its run is looked after."""
    descriptor = take(inventory)
    try:
        yield
    finally:
        os.close(descriptor)


def mark(directory: Path, inventory: Path) -> None:
    """Note in a run's directory whose run it is."""
    (directory / MARK).write_text(f"{inventory.resolve()}\n")


def unmark(directory: Path) -> None:
    """Note that a fleet has nothing more of a run: no host can have it put there again."""
    (directory / MARK).unlink(missing_ok=True)


def claim(results: Path, run_id: str, inventory: Path) -> Path:
    """Return the directory for what a fleet says of a run; made, or left without a good end.

    OperationError: the id names another run of these results. ValueError: it is no id.
    """
    directory = run_directory(results, run_id)
    try:
        directory.mkdir()
    except FileExistsError as error:
        if not _is_unfinished(directory, inventory):
            raise OperationError(
                f"the master reports the run {run_id}, but {directory} belongs to another run. "
                f"Nothing in {directory} was changed; give another directory with --results"
            ) from error
    mark(directory, inventory)
    return directory


def _is_unfinished(directory: Path, inventory: Path) -> bool:
    try:
        whose = (directory / MARK).read_text()
    except OSError:
        return False
    return whose == f"{inventory.resolve()}\n" and not _has_result(directory)


def _has_result(directory: Path) -> bool:
    """Tell whether a run was judged with all that its hosts have.

    A master that was cut off goes on, with the run here in an error or interrupted; `stop` collects
    what it has when it can be reached again.
    """
    try:
        return load_summary(directory).verdict not in ("error", "interrupted")
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True
