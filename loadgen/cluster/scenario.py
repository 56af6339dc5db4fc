"""A run's scenario: the directory of its locustfile, found on this machine and made ready to send.

    my/locustfile.py                      gives   locustfile.py and what lies beside it
    shop/load/checkout.py, in a package   gives   shop/, so that it can be imported by its name
    a/one.py,b/two.py                     gives   a/ and b/
    my/locustfile.py, which imports the kit's examples   gives   locustfiles/ too

Where the scenario is on a node is the working directory there.
"""

import re
import tarfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from loadgen.cluster.scenario_files import (
    FILES_MAX,
    IGNORE_FILE,
    KnownHashes,
    Listing,
    Member,
    fingerprint,
    list_files,
)
from loadgen.shared.errors import UsageError
from loadgen.shared.project import PROJECT, cache_directory

BYTES_MAX = 1 << 30
LARGEST_SHOWN = 5
FILE_MODE, DIRECTORY_MODE = 0o640, 0o750
EXAMPLES = PROJECT / "locustfiles"
SCANNED_BYTES_MAX = 1 << 20
_IMPORTS_EXAMPLES = re.compile(rb"^\s*(?:from|import)\s+locustfiles\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Scenario:
    """What a scenario is made of. `locustfiles` are relative to it, `paths` absolute here.

    `directory` is where its relative paths begin on this machine.
    """

    directory: Path
    locustfiles: tuple[str, ...]
    paths: tuple[str, ...]
    listing: Listing

    def fingerprint(self) -> str:
        """Return the hash that names it. UsageError: a file can't be read."""
        hashes = KnownHashes(cache_directory() / "scenario-hashes.json")
        try:
            found = fingerprint(self.listing.members, hashes.of)
        except OSError as error:
            raise UsageError(
                f"{error.filename} belongs to the scenario and can't be read ({error.strerror}): "
                f"make it readable, or list it in {self._ignore}"
            ) from error
        hashes.keep(time.time_ns())
        return found

    def fingerprint_here(self) -> str:
        """Return the hash for a run on this machine; empty where it would take too long."""
        if self.listing.is_cut or self.listing.bytes > BYTES_MAX:
            return ""
        try:
            return self.fingerprint()
        except UsageError:
            return ""

    @property
    def _ignore(self) -> Path:
        return self.directory / IGNORE_FILE

    def require_portable(self) -> None:
        """Raise UsageError, with what to do, when this can't be brought to another machine."""
        if self.listing.is_cut:
            raise UsageError(
                f"{self.directory} has {FILES_MAX:,} files or more, which is too many for a "
                f"scenario: put the locustfile into a directory of its own, or list the files that "
                f"it doesn't need in "
                f"{self._ignore}"
            )
        if self.listing.bytes > BYTES_MAX:
            largest = sorted(self.listing.members, key=lambda member: -member.bytes)
            shown = [f"  {one.bytes >> 20:,} MiB {one.source}" for one in largest[:LARGEST_SHOWN]]
            raise UsageError(
                f"{self.directory} holds {self.listing.bytes >> 20:,} MiB, and a scenario may have "
                f"{BYTES_MAX >> 20:,} MiB: list the files that it doesn't need in"
                f" {self._ignore}; the"
                " largest files are\n" + "\n".join(shown)
            )
        for path in self.listing.strange:
            raise UsageError(
                f"{path} is not a file, link or directory, so it can't be copied to a host: "
                f"list it in "
                f"{self._ignore}"
            )
        for member in self.listing.members:
            if member.link is not None and leads_out(member.path, member.link):
                raise UsageError(
                    f"the link {member.source} leads to {member.link}, which is outside the "
                    f"scenario and is not copied to the hosts: replace the link with a copy "
                    f"of the file, or list the link in {self._ignore}"
                )

    @property
    def notice(self) -> str | None:
        """One sentence on what looks secret and therefore stays here; None when nothing does."""
        secrets = self.listing.secrets
        if not secrets:
            return None
        shown = ", ".join(str(path) for path in secrets[:LARGEST_SHOWN])
        more = len(secrets) - LARGEST_SHOWN
        rest = f" and {more} more" if more > 0 else ""
        return (
            f"{shown}{rest} may contain secrets, so they are not copied to the hosts: "
            f"give variables with --env, or, to copy a file anyway, write a line such "
            f"as !{secrets[0].name} in {self._ignore}"
        )

    def pack(self, file: IO[bytes]) -> None:
        """Write one compressed tar of it. UsageError: a file can't be read."""
        try:
            with tarfile.open(fileobj=file, mode="w:gz", compresslevel=1) as packed:
                for member in self.listing.members:
                    _add(packed, member)
        except OSError as error:
            raise UsageError(
                f"{error.filename or self.directory} changed while it was being packed ({error}): "
                "repeat the command"
            ) from error


def _add(packed: tarfile.TarFile, member: Member) -> None:
    info = tarfile.TarInfo(member.path.as_posix())
    info.mode = FILE_MODE
    if member.link is not None:
        info.type, info.linkname = tarfile.SYMTYPE, member.link
        packed.addfile(info)
        return
    with member.source.open("rb") as file:
        info.size = member.bytes
        packed.addfile(info, file)


def leads_out(path: PurePosixPath, link: str) -> bool:
    """Tell whether a link at `path` leads out of its scenario, by its text alone."""
    target = PurePosixPath(link)
    depth = len(path.parent.parts)
    for part in target.parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return target.is_absolute()


def find_locustfile(path: str) -> Path:
    """Return a locustfile's absolute path: from the working directory, else from the project."""
    for base in (Path.cwd(), PROJECT):
        candidate = (base / path).resolve()
        if candidate.exists() and (candidate.is_dir() or candidate.suffix == ".py"):
            return candidate
    if path.startswith(("http://", "https://")):
        raise UsageError(
            f"--locustfile {path} is a URL, but loadgen runs only files on this machine, "
            f"so that the results can record which code ran: download it and give its "
            f"path"
        )
    if (Path.cwd() / path).exists():
        raise UsageError(
            f"--locustfile {path} is not a Python file: Locust imports files whose "
            f"names end in .py; rename it"
        )
    raise UsageError(
        f"--locustfile {path} was not found in {Path.cwd()}: give the path of a Python file with a "
        "User class, or of a directory of such files"
    )


def find_scenario(locustfiles: Sequence[str]) -> Scenario:
    """Find the scenario of a run's locustfiles. UsageError: one isn't there, or stays behind.

    As with plain Locust a directory stands for the Python files in it, but for those whose names
    begin with an underscore, and several paths may be given.
    """
    found = [find_locustfile(path) for path in locustfiles]
    tops = _outermost([_top(path) for path in found])
    listing = Listing(())
    for top, prefix in _places(tops).items():
        listing += list_files(top, prefix)
    own = any(member.path.parts[0] == EXAMPLES.name for member in listing.members)
    if EXAMPLES not in tops and not own and _imports_examples(listing):
        listing += list_files(EXAMPLES, EXAMPLES.name)
    chosen = {member.path.as_posix(): member for path in found for member in _of(path, listing)}
    single = tops[0].parent if len(tops) == 1 and _is_package(tops[0]) else tops[0]
    return Scenario(
        directory=single,
        locustfiles=tuple(chosen),
        paths=tuple(str(member.source) for member in chosen.values()),
        listing=listing,
    )


def _is_package(directory: Path) -> bool:
    return (directory / "__init__.py").is_file()


def _top(locustfile: Path) -> Path:
    """Return the directory that comes along: of a package the topmost one."""
    directory = locustfile if locustfile.is_dir() else locustfile.parent
    while _is_package(directory) and _is_package(directory.parent):
        directory = directory.parent
    return directory


def _outermost(directories: Sequence[Path]) -> list[Path]:
    """Leave out directories that lie in another one of them."""
    distinct = list(dict.fromkeys(directories))
    return [
        one
        for one in distinct
        if not any(one != other and one.is_relative_to(other) for other in distinct)
    ]


def _places(tops: Sequence[Path]) -> dict[Path, str]:
    """Give each directory its place in the scenario: one alone is its root."""
    places: dict[Path, str] = {}
    for top in tops:
        name = top.name if len(tops) > 1 or _is_package(top) else ""
        if name in places.values():
            raise UsageError(
                f"two directories of locustfiles are named {name}: rename one, or put the files "
                "into one directory"
            )
        places[top] = name
    return places


def _imports_examples(listing: Listing) -> bool:
    for member in listing.members:
        if member.link is None and member.path.suffix == ".py" and member.bytes < SCANNED_BYTES_MAX:
            try:
                if _IMPORTS_EXAMPLES.search(member.source.read_bytes()):
                    return True
            except OSError:
                continue
    return False


def _of(path: Path, listing: Listing) -> list[Member]:
    """Return the members that one given path stands for."""
    if path.is_dir():
        members = [
            member
            for member in listing.members
            if member.source.is_relative_to(path)
            and member.path.suffix == ".py"
            and not member.path.name.startswith("_")
        ]
        if not members:
            raise UsageError(f"--locustfile {path} is a directory without a Python file in it")
        return members
    members = [member for member in listing.members if member.source == path]
    if not members and not listing.is_cut:
        raise UsageError(
            f"--locustfile {path} is not copied to the hosts, because it is in a cache "
            f"directory or {IGNORE_FILE} lists it: move it, or include it with a line "
            f"in {IGNORE_FILE} that begins with !"
        )
    return members or [Member(PurePosixPath(path.name), path)]
