"""The scenarios that a node keeps: taken in, checked against their names, used and thinned out.

    /opt/loadgen/scenarios/<sha256>/   a locustfile's directory
    /opt/loadgen/packages/<sha256>/    what its requirements.txt names, installed

They are root's, and the runs' group reads them: were they the runs' own, one locustfile could
change what later runs load. A name is a hash that was checked where it was read.
"""

import contextlib
import errno
import gzip
import os
import shutil
import tarfile
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from loadgen.cluster.packages import DONE_FILE, install
from loadgen.cluster.scenario import DIRECTORY_MODE, FILE_MODE, leads_out
from loadgen.cluster.scenario_files import (
    FILES_MAX,
    KnownHashes,
    Member,
    fingerprint,
    list_everything,
)
from loadgen.fleet import agent_files as files
from loadgen.fleet.foreign_tar import members_of
from loadgen.fleet.requests import Give, Take
from loadgen.node.settings import IDLE_FILE, RUN_FILE, SOFTWARE, NodeSettings, RunSettings
from loadgen.shared.errors import OperationError, UsageError
from loadgen.shared.text import SETTINGS_VALUES_MAX, require_few_values

SCENARIOS = SOFTWARE / "scenarios"
PACKAGES = SOFTWARE / "packages"
HASHES = SOFTWARE / "hashes.json"
KEPT = 20
KEPT_SECONDS = 30 * 86400.0
SPARE_BYTES = 64 << 20
CHUNK_BYTES = 1 << 20
PACKAGES_GROW = 6
HEADER_BYTES = 2048
TOO_MUCH = "the host received more data than was announced, and discarded it; repeat the command"
NOT_WHOLE = (tarfile.TarError, EOFError, ValueError, zlib.error, gzip.BadGzipFile, RecursionError)


class Readable(Protocol):
    """What an archive is read from."""

    def read(self, size: int) -> bytes:
        """Return up to so many bytes, none at the end."""
        ...


def has_scenario(sha256: str) -> bool:
    """Tell whether a scenario is here, with the contents that its name says."""
    directory = SCENARIOS / sha256
    if not directory.is_dir() or directory.is_symlink():
        return False
    return _name_of(directory) == sha256


def list_packages() -> list[str]:
    """Return the sets of packages that are here; one is put in its place when it is complete."""
    return sorted(mark.parent.name for mark in PACKAGES.glob(f"*/{DONE_FILE}"))


def _name_of(directory: Path) -> str:
    hashes = KnownHashes(HASHES)
    try:
        found = fingerprint(list_everything(directory).members, hashes.of)
    except (OSError, UsageError):
        return ""
    hashes.keep(time.time_ns())
    return found


def use(run: RunSettings) -> None:
    """Note that a run uses its directories. OperationError: one isn't there."""
    for directory in filter(None, (run.scenario_directory, run.packages_directory)):
        try:
            os.utime(directory)
        except OSError as error:
            raise OperationError(
                f"{directory} no longer exists; repeat the command, which copies it again"
            ) from error


def take(node: NodeSettings, request: Take, content: Readable) -> None:
    """Take in a scenario or a set of packages. OperationError: it is damaged, or doesn't fit."""
    home = SCENARIOS if request.kind == "scenario" else PACKAGES
    grows = PACKAGES_GROW if request.kind == "packages" else 1
    with _room(home, request.bytes * grows) as fresh:
        _unpack(content, fresh / "content", request.bytes)
        made = fresh / "content"
        if request.kind == "scenario":
            _require_name(made, request.sha256)
        elif request.kind == "packages":
            made = install(made, fresh / "installed")
        files.share(made)
        _put(made, home / request.sha256)
    prune(node)


def give(request: Give, output: IO[bytes]) -> None:
    """Write what another host is to take in. OperationError: it isn't here."""
    directory = (SCENARIOS if request.kind == "scenario" else PACKAGES) / request.sha256
    with files.as_owner():
        if not directory.is_dir() or directory.is_symlink():
            raise OperationError(f"{directory} does not exist, so it can't be copied to a host")
        with tarfile.open(fileobj=output, mode="w|gz") as packed:
            for member in list_everything(directory).members:
                packed.add(member.source, member.path.as_posix(), recursive=False)


@contextmanager
def _room(home: Path, size: int) -> Iterator[Path]:
    """Yield a fresh directory below `home`, which goes with the block."""
    if not home.is_dir():
        home.mkdir(mode=DIRECTORY_MODE, parents=True)
        files.share(home)
    free = shutil.disk_usage(home).free
    if free < size + SPARE_BYTES:
        raise OperationError(
            f"{home} has {free >> 20:,} MiB free, but {(size + SPARE_BYTES) >> 20:,} MiB are"
            f" needed: "
            "make room on that host, then repeat the command"
        )
    fresh = Path(tempfile.mkdtemp(prefix=".taking-", dir=home))
    try:
        yield fresh
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise OperationError(
            f"{home} is full: make room on that host, then repeat the command"
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _unpack(content: Readable, directory: Path, size: int) -> None:
    """Write plain files first and links last, so that no file goes through a link."""
    directory.mkdir(mode=DIRECTORY_MODE)
    links: list[Member] = []
    left = size
    try:
        with tempfile.TemporaryFile(dir=directory.parent) as packed:
            _receive(content, packed, size)
            for number, (info, source) in enumerate(members_of(packed)):
                member = _member(info, directory)
                left -= member.bytes
                if number >= FILES_MAX or left < 0:
                    raise OperationError(TOO_MUCH)
                if member.link is not None:
                    links.append(member)
                    continue
                _write(source, member.source)
    except NOT_WHOLE as error:
        raise OperationError(
            f"the received archive can't be unpacked ({error}); repeat the command"
        ) from error
    places = {member.path for member in links}
    for member in links:
        # Each may stay inside by its text, and a name beyond another one lie outside all the same.
        if places & set(member.path.parents):
            raise OperationError(_refusal(member.path))
        member.source.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
        member.source.symlink_to(str(member.link))


def _receive(content: Readable, packed: IO[bytes], size: int) -> None:
    """Keep what comes in a file that can seek; packed, it is little more than its files."""
    most = size + FILES_MAX * HEADER_BYTES
    while chunk := content.read(CHUNK_BYTES):
        packed.write(chunk)
        if packed.tell() > most:
            raise OperationError(TOO_MUCH)
    packed.seek(0)


def _member(info: tarfile.TarInfo, directory: Path) -> Member:
    """Check one member. OperationError: it is not a regular file or link, or has a way out."""
    path = PurePosixPath(info.name)
    link = info.linkname if info.issym() else None
    member = Member(path, directory / path, 0 if link is not None else info.size, link)
    plain = (info.isreg() and not info.issparse()) or info.issym()
    inside = path.parts and not path.is_absolute() and ".." not in path.parts
    if not plain or not inside or (link is not None and leads_out(path, link)):
        raise OperationError(_refusal(path))
    return member


def _refusal(path: PurePosixPath) -> str:
    return (
        f"{str(path)[:100]!r} must not be part of a scenario, so nothing of it was kept; repeat "
        "the command"
    )


def _write(source: IO[bytes] | None, path: Path) -> None:
    path.parent.mkdir(mode=DIRECTORY_MODE, parents=True, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, FILE_MODE), "wb") as file:
        while source is not None and (chunk := source.read(CHUNK_BYTES)):
            file.write(chunk)


def _require_name(directory: Path, sha256: str) -> None:
    found = _name_of(directory)
    if found != sha256:
        raise OperationError(
            f"the received files have the SHA-256 {found[:12]} instead of {sha256[:12]}, because "
            "the directory changed while it was sent; repeat the command"
        )


def _put(made: Path, place: Path) -> None:
    """Put a directory in its place; what is there, of another content, goes first."""
    if place.exists() or place.is_symlink():
        aside = made.parent / "aside"
        place.rename(aside)
    made.rename(place)


def prune(node: NodeSettings, now: Callable[[], float] = time.time) -> None:
    """Remove what hasn't been used for a month, and all but the newest; never what is in use."""
    used = set(_in_use(node))
    for home in (SCENARIOS, PACKAGES):
        if not home.is_dir():
            continue
        found = [one for one in home.iterdir() if one not in used and not one.is_symlink()]
        newest = sorted(found, key=lambda one: -one.stat().st_mtime)
        for place, one in enumerate(newest):
            if place >= KEPT or now() - one.stat().st_mtime > KEPT_SECONDS:
                shutil.rmtree(one, ignore_errors=True)


def _in_use(node: NodeSettings) -> Iterator[Path]:
    """Name what a run under way and the idle processes use; a file that can't be read has none."""
    for name in (RUN_FILE, IDLE_FILE):
        with contextlib.suppress(OperationError, ValueError):
            text = files.read_kept(node.state_directory / name) or ""
            run = RunSettings.model_validate_json(require_few_values(text, SETTINGS_VALUES_MAX))
            yield from filter(None, (run.scenario_directory, run.packages_directory))
