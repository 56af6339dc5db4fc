"""A limit of memory on one process that the kernel enforces: beyond it, it ends the process."""

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECOND = Path("/sys/fs/cgroup")
FIRST = Path("/sys/fs/cgroup/memory")


def group_root() -> tuple[Path, str] | None:
    """Return where memory groups are made, and the name of their limit; None: nowhere."""
    if os.access(FIRST / "cgroup.procs", os.W_OK):
        return FIRST, "memory.limit_in_bytes"
    controllers = SECOND / "cgroup.subtree_control"
    if os.access(controllers, os.W_OK) and "memory" in controllers.read_text().split():
        return SECOND, "memory.max"
    return None


@contextmanager
def memory_limit(pid: int, size_bytes: int) -> Iterator[Path]:
    """Let a process allocate this much more from now on; yields its control group."""
    found = group_root()
    assert found, "this machine has no memory controller to make groups in"
    root, limit = found
    group = root / f"loadgen-fault-{uuid.uuid4().hex[:8]}"
    group.mkdir()
    try:
        (group / limit).write_text(str(size_bytes))
        (group / "cgroup.procs").write_text(str(pid))
        yield group
    finally:
        deadline = time.monotonic() + 20
        while (group / "cgroup.procs").read_text().split() and time.monotonic() < deadline:
            time.sleep(0.05)
        group.rmdir()


def kills(group: Path) -> int:
    """Return how many processes of a group the kernel has ended for want of memory."""
    for name in ("memory.oom_control", "memory.events"):
        path = group / name
        for line in path.read_text().splitlines() if path.exists() else ():
            word, _, number = line.partition(" ")
            if word == "oom_kill":
                return int(number)
    return 0
