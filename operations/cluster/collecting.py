"""Collects what one node has of a run: `logs/*` into hosts/<node>/, `results/*` into the run."""

import tarfile
import tempfile
from pathlib import Path, PurePosixPath

from operations.agent import Request
from operations.cluster.remote import Remote, agent_command
from operations.errors import OperationError


def collect_node(remote: Remote, directory: Path, request: Request) -> None:
    """Fetch one tar and unpack it below `directory`. OperationError: it was cut off or damaged."""
    with tempfile.TemporaryFile() as fetched:
        stdin = request.model_dump_json().encode()
        for chunk in remote.stream(agent_command("collect"), stdin):
            fetched.write(chunk)
        fetched.seek(0)
        try:
            with tarfile.open(fileobj=fetched, mode="r:gz") as packed:
                for member in packed:
                    _unpack(packed, member, directory, remote.node.name)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise OperationError(
                f"what {remote.node.name} sent can't be unpacked ({error}); its own copy is in "
                "/var/lib/loadgen/runs and its journal"
            ) from error


def _unpack(packed: tarfile.TarFile, member: tarfile.TarInfo, directory: Path, node: str) -> None:
    """Put one regular file where it belongs; anything else, or a way out, is left alone."""
    kind, *parts = PurePosixPath(member.name).parts
    content = packed.extractfile(member) if member.isreg() else None
    if content is None or not parts or ".." in parts:
        return
    base = directory / "hosts" / node if kind == "logs" else directory
    target = base.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        while chunk := content.read(1 << 20):
            file.write(chunk)
