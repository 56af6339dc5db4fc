"""Collects what one node has of a run: `logs/*` into hosts/<node>/, `results/*` into the run.

A host may have been taken over: what it sends is held to plain files of its own, within bounds.
Of the master's results those that Locust and the exporter write there belong to the run as a whole;
everything else goes below its own hosts/<node>/, as all of a worker's does. So no host writes what
the controller keeps of a run and may carry out again (`loadgen rerun`).
"""

import shutil
import tarfile
import tempfile
import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import IO

from loadgen.fleet.agent_files import COLLECTED_BYTES_MAX as BYTES_MAX
from loadgen.fleet.agent_files import COLLECTED_FILES_MAX as FILES_MAX
from loadgen.fleet.connections.ssh import Remote, agent_command, require_pace
from loadgen.fleet.foreign_tar import DAMAGED, members_of
from loadgen.fleet.requests import Collect
from loadgen.results.archive import LOCUST_REPORTS
from loadgen.shared.errors import OperationError
from loadgen.shared.files import MINIMUM_FREE_BYTES, is_of_a_repository

CHUNK_BYTES = 1 << 20
RUNS_FILES = {*LOCUST_REPORTS, "locust.html", "metrics.prom"}
"""What a master adds to a run, beside `requests/*.parquet`: all else there is the controller's."""


def collect_node(remote: Remote, directory: Path, request: Collect, into_run: bool = False) -> None:
    """Fetch one tar and unpack it below `directory`; `into_run` for the master of the run.

    OperationError: it was cut off, damaged, too large, or came too slowly.
    """
    began = time.monotonic()
    with tempfile.TemporaryFile() as fetched:
        stdin = request.model_dump_json().encode()
        spend = _budget(remote.node.name, Path(tempfile.gettempdir()))
        for chunk in remote.stream(agent_command(Collect), stdin):
            spend(len(chunk))
            fetched.write(chunk)
            require_pace(remote.node, began, fetched.tell())
        fetched.seek(0)
        unpack(fetched, directory, remote.node.name, into_run)


def unpack(packed: IO[bytes], directory: Path, node: str, into_run: bool) -> None:
    """Unpack what a node sent. OperationError: it is damaged or too large."""
    directory.mkdir(parents=True, exist_ok=True)
    spend = _budget(node, directory)
    try:
        for number, (member, content) in enumerate(members_of(packed)):
            if number >= FILES_MAX:
                raise OperationError(
                    f"{node} sent more than {FILES_MAX:,} files; log in to that host and check "
                    f"/var/lib/loadgen/runs"
                )
            target = _target(member, directory, node, into_run)
            if target and content:
                _copy(content, target, spend)
    except DAMAGED as error:
        raise OperationError(
            f"the archive from {node} can't be unpacked ({error}); the host keeps its "
            f"copy of the results in /var/lib/loadgen/runs, and the logs are in its "
            f"journal"
        ) from error


def _target(member: tarfile.TarInfo, run: Path, node: str, into_run: bool) -> Path | None:
    """Return where a member belongs; None for a name that is none of ours, or has a way out.

    A hidden name is none of ours either: programs look for such files wherever somebody works.
    """
    kind, *parts = PurePosixPath(member.name).parts or ("",)
    plain = all(part.isprintable() and not part.startswith(".") for part in parts)
    safe = plain and parts[:1] != ["hosts"] and not is_of_a_repository(parts)
    if kind not in ("logs", "results") or not parts or not safe:
        return None
    is_runs = into_run and kind == "results" and _belongs_to_run(parts)
    return (run if is_runs else run / "hosts" / node).joinpath(*parts)


def _belongs_to_run(parts: list[str]) -> bool:
    if len(parts) == 1:
        return parts[0] in RUNS_FILES
    return len(parts) == 2 and parts[0] == "requests" and parts[1].endswith(".parquet")


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
            raise OperationError(
                f"{node} sent more than {BYTES_MAX >> 30} GiB; log in to that host and "
                f"check /var/lib/loadgen/runs"
            )
        free = shutil.disk_usage(directory).free
        if free - size < MINIMUM_FREE_BYTES:
            raise OperationError(
                f"the results of {node} don't fit into {directory}, which has {free >> 20} MiB "
                f"free. Make room there; {node} keeps its copy in /var/lib/loadgen/runs"
            )

    return spend
