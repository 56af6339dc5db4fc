"""Lets one process at a time change a fleet.

The inventory is locked itself, so no file is left behind, and the lock goes with the process that
holds it, however that ends. Two at once would each remove the release that the other one brings.
"""

import os
import time
from pathlib import Path

import psutil

from loadgen.shared.errors import BusyError, UsageError
from loadgen.shared.files import lock

LOCKS = Path("/proc/locks")


def hold(path: Path) -> None:
    """Lock `path` until this process, or the program that it becomes, ends.

    BusyError names who holds it, and since when.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:
        raise UsageError(
            f"{path} can't be read ({error.strerror}); give the path of an inventory"
        ) from error
    try:
        lock(descriptor)
    except BlockingIOError as error:
        raise BusyError(
            f"{path} is being changed by {holder(os.fstat(descriptor))}, and two commands "
            f"at once would undo each other's work, so nothing was changed: wait for "
            f"it to end, then run this again"
        ) from error
    os.set_inheritable(descriptor, True)


def holder(locked: os.stat_result) -> str:
    """Name the process that holds a file's lock, as the kernel knows it."""
    for line in LOCKS.read_text().splitlines():
        words = line.split()
        if words[1] != "FLOCK" or int(words[5].split(":")[2]) != locked.st_ino:
            continue
        try:
            began = psutil.Process(int(words[4])).create_time()
        except (psutil.Error, ValueError):
            return f"process {words[4]}"
        return f"process {words[4]} since {time.strftime('%H:%M:%S', time.localtime(began))}"
    return "another process"
