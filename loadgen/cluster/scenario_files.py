"""Which files of a directory belong to a scenario, and the hash that names it.

The hash covers paths, contents and links; times, modes and owners don't count. A scenario on the
controller and its copy on a node have the same one.
"""

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pathspec import PathSpec

from loadgen.shared.errors import UsageError
from loadgen.shared.files import write_text

IGNORE_FILE = ".loadgenignore"
ENVIRONMENT_MARK = "pyvenv.cfg"
BYTE_CODE = ("__pycache__/", "*.pyc")
TOOLS = (
    "venv/", ".venv/", "env/", "node_modules/", ".git/", ".hg/", ".svn/", "results/", ".cache/",
    ".pytest_cache/", ".mypy_cache/", ".ruff_cache/", ".hypothesis/",
    ".tox/", ".nox/", ".eggs/", "*.egg-info/", ".ipynb_checkpoints/", ".idea/", ".vscode/",
    ".DS_Store", "*.swp",
)  # fmt: skip
SECRETS = (
    ".env", ".env.*", ".envrc", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx",
    "*.ppk", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", ".ssh/", ".gnupg/", ".aws/",
    ".netrc", ".pgpass", ".htpasswd", ".vault*", "vault_pass*", "*.vault", ".secrets/",
)  # fmt: skip
FILES_MAX = 20_000
CHUNK_BYTES = 1 << 20
REMEMBERED_BYTES = 1 << 20
SETTLED_NANOSECONDS = 2_000_000_000
SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a scenario, or one link; `path` is its place there, `source` its place here."""

    path: PurePosixPath
    source: Path
    bytes: int = 0
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """What a directory gives to a scenario, what looks secret and stays, and what can't be sent."""

    members: tuple[Member, ...]
    secrets: tuple[Path, ...] = ()
    strange: tuple[Path, ...] = ()
    is_cut: bool = False
    """Whether there are more files than a scenario may have; the rest is not in it."""

    @property
    def bytes(self) -> int:
        """How much its files hold together."""
        return sum(member.bytes for member in self.members)

    def __add__(self, other: "Listing") -> "Listing":
        """Return what both give."""
        return Listing(
            (*self.members, *other.members),
            (*self.secrets, *other.secrets),
            (*self.strange, *other.strange),
            self.is_cut or other.is_cut or len(self.members) + len(other.members) >= FILES_MAX,
        )


class _Chooser:
    """Decides by name what stays behind."""

    def __init__(self, rules: Sequence[str]) -> None:
        self._spec = PathSpec.from_lines("gitignore", [*rules, *BYTE_CODE])
        self._secrets = PathSpec.from_lines("gitignore", SECRETS)

    def leaves(self, path: str) -> bool:
        """Tell whether a path (a directory's ends in /) stays behind."""
        return self._spec.match_file(path)

    def is_secret(self, path: str) -> bool:
        """Tell whether a path that stays behind looks like a secret."""
        return self._secrets.match_file(path)


def read_rules(directory: Path) -> list[str]:
    """Return the lines of a directory's .loadgenignore, none when it has none."""
    path = directory / IGNORE_FILE
    try:
        return path.read_text().splitlines() if path.is_file() else []
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} can't be read ({error}): correct it; its syntax is that of .gitignore"
        ) from error


def list_files(directory: Path, prefix: str = "") -> Listing:
    """List what a directory gives to a scenario, where it has its place below `prefix`.

    The user's own rules win over the kit's. UsageError: they can't be read.
    """
    return _list(directory, prefix, [*TOOLS, *SECRETS, *read_rules(directory)])


def list_everything(directory: Path) -> Listing:
    """List what is in a node's copy of a scenario, but for the byte code that runs left there."""
    return _list(directory, "", [])


def _list(directory: Path, prefix: str, rules: Sequence[str]) -> Listing:
    members: list[Member] = []
    secrets: list[Path] = []
    strange: list[Path] = []
    for inside in _walk(directory, _Chooser(rules), secrets):
        source, path = directory / inside, PurePosixPath(prefix) / inside
        status = source.lstat()
        if stat.S_ISLNK(status.st_mode):
            members.append(Member(path, source, link=str(source.readlink())))
        elif stat.S_ISREG(status.st_mode):
            members.append(Member(path, source, status.st_size))
        else:
            strange.append(source)
        if len(members) >= FILES_MAX:
            return Listing(tuple(members), is_cut=True)
    return Listing(tuple(members), tuple(secrets), tuple(strange))


def _walk(directory: Path, chooser: _Chooser, secrets: list[Path]) -> Iterator[PurePosixPath]:
    """Yield files, links and what is neither, without what stays behind; note secrets."""
    for parent, names, files in os.walk(directory):
        inside = PurePosixPath(Path(parent).relative_to(directory).as_posix())
        kept = []
        for name in sorted(names):
            path, source = (inside / name).as_posix(), Path(parent) / name
            if chooser.leaves(f"{path}/") or (source / ENVIRONMENT_MARK).is_file():
                if chooser.is_secret(f"{path}/"):
                    secrets.append(source)
            elif source.is_symlink():
                yield inside / name
            else:
                kept.append(name)
        names[:] = kept
        for name in sorted(files):
            path = (inside / name).as_posix()
            if not chooser.leaves(path):
                yield inside / name
            elif chooser.is_secret(path):
                secrets.append(Path(parent) / name)


class KnownHashes:
    """Hashes of large files by size and times, so that they are read once; kept in a file."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._known: dict[str, list[object]] = {}
        self._found: dict[str, list[object]] = {}
        if path is not None:
            try:
                self._known = json.loads(path.read_text())
            except (OSError, ValueError):
                self._known = {}

    def of(self, path: Path) -> str:
        """Return a file's SHA-256. Raises OSError."""
        status = path.stat()
        if status.st_size < REMEMBERED_BYTES:
            return hashlib.sha256(path.read_bytes()).hexdigest()
        mark: list[object] = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
        name = str(path)
        known = self._known.get(name)
        if isinstance(known, list) and known[:-1] == mark:
            self._found[name] = known
            return str(known[-1])
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        self._found[name] = [*mark, sha256]
        return sha256

    def keep(self, now_nanoseconds: int) -> None:
        """Write what was asked for; a file of this moment might still change unnoticed."""
        if self._path is None:
            return
        settled = {
            name: mark
            for name, mark in self._found.items()
            if isinstance(mark[2], int) and now_nanoseconds - mark[2] > SETTLED_NANOSECONDS
        }
        if settled != self._known:
            others = {name: mark for name, mark in self._known.items() if name not in self._found}
            newest = dict(list({**others, **settled}.items())[-FILES_MAX:])
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                write_text(self._path, json.dumps(newest))
            except OSError:
                return


def fingerprint(members: Iterable[Member], hash_of: Callable[[Path], str]) -> str:
    """Return the SHA-256 that names these files and links. Raises OSError: one can't be read."""
    digest = hashlib.sha256()
    for member in sorted(members, key=lambda member: member.path.as_posix()):
        kind = "file" if member.link is None else "link"
        content = hash_of(member.source) if member.link is None else member.link
        line = f"{member.path.as_posix()}\0{kind}\0{content}\n"
        digest.update(line.encode(errors="surrogateescape"))
    return digest.hexdigest()
