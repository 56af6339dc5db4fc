"""What every node runs: one release of the kit's own code, and one wheelhouse of other packages.

A *release* is a directory named after its SHA-256: the kit's packages and the locked requirements,
and no locustfile: a run brings its scenario. A *wheelhouse* is the set of
wheels that `requirements/node.txt` names for the hosts' platform and Python, so that a host
installs without a way out; on a fleet with simulated targets those of `requirements/target.txt`
too. Both are made on the controller; the playbooks push them.

    python -m loadgen.deploy.release build DIRECTORY
    python -m loadgen.deploy.release wheelhouse DIRECTORY [--roles node target]
        [--python-version 3.11] [--platform ...]
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from loadgen.shared import command
from loadgen.shared.errors import OperationError, UsageError
from loadgen.shared.project import KIT, PROJECT, PYTHON_MODULE

CODE = ("loadgen", "exporter")
PARTS = (*CODE, "requirements")
FILE_MODE = 0o640
DIRECTORY_MODE = 0o750
CACHES = ("__pycache__", "node_modules")
DEFAULT_PLATFORM = "manylinux_2_28_x86_64"
DEFAULT_PYTHON = "3.11"
DEFAULT_ROLES = ("node",)
KEPT = 5
"""Releases that the controller keeps."""
SENDING_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Release:
    """One assembled release: its SHA-256 in hexadecimal, its directory, and the same as one tar."""

    sha256: str
    directory: Path
    archive: Path


def part_directory(part: str) -> Path:
    """Return where a part of the release is on this machine."""
    return (PROJECT if part in CODE else KIT) / part


def build(directory: Path) -> Release:
    """Assemble the release below `directory`; the same contents give the same name.

    Hidden files and caches are left out. `directory` is for its owner alone, and nobody but root
    and the group of a host's runs reads what is unpacked.
    """
    directory.mkdir(parents=True, exist_ok=True)
    directory.chmod(0o700)
    files = _release_files()
    sha256 = _fingerprint(files)
    release = Release(sha256, directory / sha256, directory / f"{sha256}.tar")
    with tempfile.TemporaryDirectory(dir=directory, prefix=".release-") as scratch:
        if not release.directory.exists():
            tree = Path(scratch) / "release"
            for path, source in files.items():
                (tree / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, tree / path)
            for made in (tree, *tree.rglob("*")):
                made.chmod(DIRECTORY_MODE if made.is_dir() else FILE_MODE)
            tree.rename(release.directory)
        if not release.archive.exists():
            packed = Path(scratch) / "release.tar"
            _pack(release.directory, packed)
            packed.rename(release.archive)
    _prune(directory, sha256)
    return release


def _prune(directory: Path, used: str) -> None:
    """Keep the releases that were used last; one of this hour another deploy may be sending."""
    now = time.time()
    for path in (directory / used, directory / f"{used}.tar"):
        os.utime(path)
    last = {path: path.stat().st_mtime for path in directory.glob("[0-9a-f]*[0-9a-f]")}
    for path in sorted(last, key=lambda one: -last[one])[KEPT:]:
        if now - last[path] > SENDING_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
            path.with_suffix(".tar").unlink(missing_ok=True)


def fingerprint(directory: Path) -> str:
    """SHA-256 over sorted relative paths and contents; times, modes, owners and caches don't count.

    Equal for a release on the controller and its copy on a node that has compiled byte code since.
    """
    files = {path.relative_to(directory).as_posix(): path for path in _files(directory)}
    return _fingerprint(files)


def _fingerprint(files: Mapping[str, Path]) -> str:
    digest = hashlib.sha256()
    for path, source in sorted(files.items()):
        content = hashlib.sha256(source.read_bytes()).hexdigest()
        digest.update(f"{path}\0{content}\n".encode())
    return digest.hexdigest()


def current() -> str:
    """SHA-256 of the release that `build` would make now."""
    return _fingerprint(_release_files())


def _release_files() -> dict[str, Path]:
    """Return every file of the release by its place in it."""
    return {
        (Path(part) / path.relative_to(part_directory(part))).as_posix(): path
        for part in PARTS
        for path in _files(part_directory(part))
    }


def verify(directory: Path) -> str:
    """Return the release's SHA-256. OperationError: a file was changed, added or lost since."""
    resolved = directory.resolve()
    sha256 = fingerprint(resolved)
    if sha256 != resolved.name:
        raise OperationError(
            f"{resolved} was changed after it was made: its contents now have SHA-256 "
            f"{sha256}, which differs from the one in its name; run loadgen deploy to "
            f"copy the release again"
        )
    return sha256


def wheelhouse(
    directory: Path,
    python_version: str = DEFAULT_PYTHON,
    platform: str = DEFAULT_PLATFORM,
    roles: Sequence[str] = DEFAULT_ROLES,
) -> Path:
    """Download the wheels for hosts of that Python and platform; return `directory/<key>`.

    The key is the SHA-256 of the roles' locked requirements (`node`: `requirements/node.txt`),
    platform and Python version; a wheelhouse that exists is complete and is reused. It holds
    `requirements.txt` too: the locked lines that such a host needs, for `pip install --no-index
    --find-links . --require-hashes -r`.
    OperationError: a wheel is missing, can't be had, or has another hash than the locked one.
    """
    locked = "".join((KIT / "requirements" / f"{role}.txt").read_text() for role in roles)
    key = hashlib.sha256("\0".join((locked, platform, python_version)).encode()).hexdigest()
    finished = directory / key
    if finished.exists():
        return finished
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory, prefix=".wheelhouse-") as scratch:
        wheels = Path(scratch) / "wheels"
        wheels.mkdir(mode=0o755)
        requirements = wheels / "requirements.txt"
        requirements.write_text("\n".join(applicable(locked, python_version)) + "\n")
        _download(requirements, wheels, python_version, platform)
        wheels.rename(finished)
    return finished


def applicable(locked: str, python_version: str) -> list[str]:
    """Return the locked requirements that a Linux host with CPython `python_version` needs.

    pip evaluates a marker for the Python that runs it, so they are evaluated here and left out.
    Each line is `name==version --hash=... --hash=...`, and stands once if several roles have it.
    """
    environment = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python_version}.0",
        "python_version": python_version,
        "sys_platform": "linux",
    }
    lines = []
    for line in _logical_lines(locked):
        requirement = Requirement(line.partition(" --hash")[0])
        if requirement.marker is None or requirement.marker.evaluate(environment):
            hashes = [word for word in line.split() if word.startswith("--hash=")]
            lines.append(" ".join((f"{requirement.name}{requirement.specifier}", *hashes)))
    return list(dict.fromkeys(lines))


def _logical_lines(text: str) -> Iterator[str]:
    joined = text.replace("\\\n", " ")
    for line in joined.splitlines():
        if line.strip() and not line.lstrip().startswith(("#", "-")):
            yield line.strip()


def platforms(platform: str) -> list[str]:
    """Return every tag that a host of `platform` accepts: `manylinux_2_28_*` takes all older ones.

    UsageError: not of the form manylinux_MAJOR_MINOR_ARCHITECTURE.
    """
    words = platform.split("_", 3)
    if len(words) != 4 or words[:2] != ["manylinux", "2"] or not words[2].isdecimal():
        raise UsageError(
            f"platform {platform!r} is not of the form manylinux_2_<glibc minor>_<architecture>; "
            f"give one such as {DEFAULT_PLATFORM}"
        )
    minor, architecture = int(words[2]), words[3]
    modern = [f"manylinux_2_{older}_{architecture}" for older in range(minor, 4, -1)]
    names = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
    return modern + [f"{name}_{architecture}" for least, name in names.items() if minor >= least]


def _download(requirements: Path, wheels: Path, python_version: str, platform: str) -> None:
    tags = [word for tag in platforms(platform) for word in ("--platform", tag)]
    words = [*PYTHON_MODULE, "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    words += ["--only-binary", ":all:", "--implementation", "cp"]
    words += ["--python-version", python_version, *tags]
    words += ["--dest", str(wheels), "--requirement", str(requirements)]
    finished = subprocess.run(words, capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        reasons = [line for line in finished.stderr.splitlines() if line.startswith("ERROR")]
        raise OperationError(
            f"the wheels for {platform}, Python {python_version} could not be downloaded: "
            f"{' '.join(reasons) or finished.stderr.strip()}; check that this machine "
            "reaches its package index, then repeat the command"
        )


def _files(directory: Path) -> Iterator[Path]:
    """Yield every file that belongs to a release."""
    for parent, names, files in os.walk(directory):
        names[:] = sorted(name for name in names if not _left_out(name))
        yield from (Path(parent) / name for name in files if not _left_out(name))


def _left_out(name: str) -> bool:
    return name.startswith(".") or name in CACHES or name.endswith((".pyc", ".egg-info"))


def _pack(directory: Path, archive: Path) -> None:
    """Write one tar, for its owner alone, whose bytes depend on paths and contents only."""
    archive.touch(0o600)
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT) as packed:
        for path in sorted(directory.rglob("*")):
            packed.add(path, path.relative_to(directory), recursive=False, filter=_anonymous)


def _anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = "root"
    member.mode = DIRECTORY_MODE if member.isdir() else FILE_MODE
    return member


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m loadgen.deploy.release", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    verbs = parser.add_subparsers(required=True, metavar="build|wheelhouse")
    verb = verbs.add_parser(
        "build", help="make DIRECTORY/<sha256>/ and DIRECTORY/<sha256>.tar, and print the SHA-256"
    )
    verb.add_argument("directory", type=Path)
    verb.set_defaults(run=lambda given: build(given.directory).sha256)
    verb = verbs.add_parser(
        "wheelhouse", help="download the hosts' wheels into DIRECTORY/<key>/, and print that path"
    )
    verb.add_argument("directory", type=Path)
    verb.add_argument("--python-version", default=DEFAULT_PYTHON, help="the hosts' (%(default)s)")
    verb.add_argument("--platform", default=DEFAULT_PLATFORM, help="the hosts' (%(default)s)")
    verb.add_argument("--roles", nargs="+", choices=("node", "target"), default=DEFAULT_ROLES)
    verb.set_defaults(
        run=lambda given: wheelhouse(
            given.directory, given.python_version, given.platform, given.roles
        )
    )
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; a fault is one sentence on standard error and its own exit code."""
    given = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], object] = given.run
    return command.ending(lambda: print(run(given)))


if __name__ == "__main__":
    sys.exit(main())
