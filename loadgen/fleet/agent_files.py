"""What a node keeps of runs, as its agent handles it: as the runs' own user, never as root.

    /var/lib/loadgen/runs/<run_id>/   results on a master, the request log on a worker
    /run/loadgen/                     run.json, the last scrape

Both belong to that user, so whatever runs as it can put links there.
"""

import io
import os
import pwd
import shutil
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

RUNS = Path("/var/lib/loadgen/runs")
SPECIFICATION_FILE = "specification.json"
COLLECTOR_FILE = "collected-into"
USER = "loadgen"
LAST_SCRAPE_SECONDS = 5.0


@contextmanager
def as_owner() -> Iterator[None]:
    """Do file work in the runs' directories as the user that runs them, who may write there.

    A link that this user's processes put in the way leads root anywhere, and this user nowhere new.
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


def make_results(directory: Path, specification: str, collected_into: Path | None) -> None:
    """Make a run's directory on its master, with what another process needs to end the run."""
    with as_owner():
        for path in (directory.parent, directory):
            path.mkdir(mode=0o750, exist_ok=True)
        (directory / SPECIFICATION_FILE).write_text(specification)
        (directory / COLLECTOR_FILE).write_text(str(collected_into or ""))


def read_kept(path: Path) -> str | None:
    """Return a file's text, None when it isn't there."""
    with as_owner():
        return path.read_text() if path.is_file() else None


def add_results(packed: tarfile.TarFile, directory: Path) -> None:
    """Add each plain file of a run as results/<its path>; links are nothing to the other end."""
    with as_owner():
        for path in sorted(directory.rglob("*")):
            if path.is_file() and path.name not in (SPECIFICATION_FILE, COLLECTOR_FILE):
                packed.add(path, f"results/{path.relative_to(directory)}", recursive=False)


def remove(run_id: str) -> None:
    """Remove a run's directory."""
    with as_owner():
        shutil.rmtree(RUNS / run_id, ignore_errors=True)


def last_scrape(state_directory: Path, run_id: str) -> bytes:
    """Return the exporter's last scrape of this run; it follows the final snapshot shortly."""
    path = state_directory / "metrics.prom"
    deadline = time.monotonic() + LAST_SCRAPE_SECONDS
    while time.monotonic() < deadline:
        with as_owner():
            content = path.read_bytes() if path.is_file() else b""
        if f'run_id="{run_id}"'.encode() in content:
            return content
        time.sleep(0.1)
    return b""


def add(packed: tarfile.TarFile, name: str, content: bytes) -> None:
    """Add bytes as a file."""
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = len(content), 0o644, int(time.time())
    packed.addfile(member, io.BytesIO(content))
