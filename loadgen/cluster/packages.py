"""What a scenario needs beside the kit: its `requirements.txt`, resolved, fetched and installed.

It is resolved on this machine against the kit's own locked versions, for the Python and platform
that will run it, and every wheel has a hash from then on. The installed set comes behind the kit's
packages on the path of a run's processes, so that it replaces none of them.

    <cache>/packages/resolved/<of what was asked>.txt   the lines `name==version --hash=…`
    <cache>/packages/wheels/<sha256>/                   its wheels, and those lines
    <cache>/packages/installed/<sha256>/                installed, for runs on this machine
"""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from loadgen.cluster.scenario import DIRECTORY_MODE, Scenario
from loadgen.deploy.release import applicable, platforms
from loadgen.shared.errors import OperationError, UsageError, why_unread
from loadgen.shared.files import write_text
from loadgen.shared.project import KIT, cache_directory

REQUIREMENTS, PYPROJECT = "requirements.txt", "pyproject.toml"
LOCAL_WHEELS = "wheels"
DONE_FILE = ".complete"
PIP = [sys.executable, "-I", "-m", "pip", "--disable-pip-version-check"]
_INCLUDE = re.compile(r"^(?:-r|-c|--requirement|--constraint)[ =]*(\S+)", re.MULTILINE)
_SIDE = re.compile(r"loadgen has|requested|depends on")
_NOTHING_FOUND = re.compile(r"No matching distribution found for (\S+)")


@dataclass(frozen=True, slots=True)
class Packages:
    """A resolved set. `sha256` names it; `wheels` has them, and `requirements.txt` with hashes."""

    sha256: str
    wheels: Path

    @property
    def bytes(self) -> int:
        """How large the wheels are together."""
        return sum(path.stat().st_size for path in self.wheels.iterdir())

    @property
    def archive(self) -> Path:
        """One compressed tar of it, made when it is first asked for."""
        made = self.wheels.with_suffix(".tar.gz")
        if not made.exists():
            fresh = made.with_name(f".{made.name}.{os.getpid()}")
            with tarfile.open(fresh, "w:gz", compresslevel=1) as packed:
                for path in sorted(self.wheels.iterdir()):
                    packed.add(path, path.name, recursive=False)
            fresh.replace(made)
        return made


def this_platform() -> str:
    """Return what wheels call this machine: its glibc and architecture."""
    _, glibc = platform.libc_ver()
    _, _, minor = glibc.partition(".")
    return f"manylinux_2_{minor or 17}_{platform.machine()}"


def this_python() -> str:
    """Return this interpreter's version as wheels need it, such as 3.11."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def find_requirements(scenario: Scenario) -> Path | None:
    """Return the file nearest to a locustfile that says what the scenario needs; None: none does.

    A pyproject.toml counts when it has dependencies. UsageError: it can't be read.
    """
    parents = {parent for path in scenario.paths for parent in Path(path).parents}
    found = [
        member.source
        for member in scenario.listing.members
        if member.path.name in (REQUIREMENTS, PYPROJECT) and member.source.parent in parents
    ]
    # The nearest file comes first, and beside each other a requirements.txt before a
    # pyproject.toml.
    for path in sorted(found, key=lambda path: (-len(path.parts), path.name != REQUIREMENTS)):
        if path.name == REQUIREMENTS or _dependencies(path):
            return path
    return None


def _dependencies(pyproject: Path) -> list[str]:
    try:
        project = tomllib.loads(pyproject.read_text()).get("project", {})
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{pyproject} can't be read: {why_unread(error)}; correct it, because a "
            f"run installs the dependencies that it lists"
        ) from error
    found = project.get("dependencies", [])
    return [str(one) for one in found] if isinstance(found, list) else []


def resolve(requirements: Path, python_version: str, platform_name: str) -> Packages | None:
    """Resolve and fetch what a file asks for; None when loadgen has all of it.

    What was resolved before is used again. UsageError: something can't be had, or conflicts.
    """
    hosts, own = (_kits_lock(role, python_version) for role in ("node", "results"))
    asked = "\0".join((*_texts(requirements, []), *hosts, *own, python_version, platform_name))
    home = cache_directory() / "packages"
    resolved = home / "resolved" / f"{hashlib.sha256(asked.encode()).hexdigest()}.txt"
    if not resolved.exists():
        lines = _resolve(requirements, hosts, own, python_version, platform_name)
        resolved.parent.mkdir(parents=True, exist_ok=True)
        write_text(resolved, "".join(f"{line}\n" for line in lines))
    text = resolved.read_text()
    if not text:
        return None
    named = "\0".join((text, python_version, platform_name))
    sha256 = hashlib.sha256(named.encode()).hexdigest()
    wheels = home / "wheels" / sha256
    if not wheels.exists():
        _fetch(text, wheels, requirements, python_version, platform_name)
    return Packages(sha256, wheels)


def _kits_lock(role: str, python_version: str) -> list[str]:
    return applicable((KIT / "requirements" / f"{role}.txt").read_text(), python_version)


def _texts(path: Path, seen: list[Path]) -> list[str]:
    """Return the text of a requirements file, and of those that it includes."""
    if path in seen:
        return []
    seen.append(path)
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} can't be read: {why_unread(error)}; correct it, because a run "
            f"installs the packages that it lists"
        ) from error
    included = [path.parent / name for name in _INCLUDE.findall(text)]
    return [text, *(part for one in included for part in _texts(one, seen))]


def _target(python_version: str, platform_name: str) -> list[str]:
    tags = [word for tag in platforms(platform_name) for word in ("--platform", tag)]
    kind = ["--only-binary", ":all:", "--implementation", "cp"]
    return [*kind, "--python-version", python_version, *tags]


def _local_wheels(requirements: Path) -> list[str]:
    directory = requirements.parent / LOCAL_WHEELS
    return ["--find-links", str(directory)] if directory.is_dir() else []


def _resolve(
    requirements: Path, hosts: list[str], own: list[str], python_version: str, platform_name: str
) -> list[str]:
    """Return a line with a hash for each package that hosts don't have from the kit.

    Every version fits `own` too, the packages with which only this machine judges and draws: a run
    on it finds those first.
    """
    kits = {_name(line) for line in hosts}
    with tempfile.TemporaryDirectory(prefix="loadgen-resolve-") as scratch:
        constraints, report = Path(scratch) / "kit.txt", Path(scratch) / "report.json"
        constraints.write_text("\n".join(line.partition(" ")[0] for line in hosts + own))
        asked = requirements
        if requirements.name == PYPROJECT:
            asked = Path(scratch) / REQUIREMENTS
            asked.write_text("\n".join(_dependencies(requirements)))
        words = [
            "install", "--dry-run", "--ignore-installed", "--report", str(report),
            "--target", str(Path(scratch) / "none"),
            "--constraint", str(constraints), "--requirement", str(asked),
        ]  # fmt: skip
        _pip(words, requirements, python_version, platform_name)
        found = json.loads(report.read_text())["install"]
    return sorted(_line(requirements, one) for one in found if _name_of(one) not in kits)


def _name(requirement: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[=<>!~ \[;@]", requirement.strip())[0]).lower()


def _name_of(one: dict[str, dict[str, str]]) -> str:
    return _name(one["metadata"]["name"])


def _line(requirements: Path, one: dict[str, dict[str, object]]) -> str:
    name, version = one["metadata"]["name"], one["metadata"]["version"]
    archive = one["download_info"].get("archive_info")
    hashes = archive.get("hashes", {}) if isinstance(archive, dict) else {}
    if "sha256" not in hashes:
        raise UsageError(
            f"{requirements} names {name} by a URL whose content may change: give a "
            f"released version, or put its wheel into the directory wheels/ beside "
            f"that file"
        )
    return f"{name}=={version} --hash=sha256:{hashes['sha256']}"


def _pip(words: list[str], requirements: Path, python_version: str, platform_name: str) -> None:
    """Run pip for the hosts' platform. UsageError: one sentence of what it says."""
    finished = subprocess.run(
        [*PIP, *words, *_target(python_version, platform_name), *_local_wheels(requirements)],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    if finished.returncode:
        said = finished.stdout + finished.stderr
        raise UsageError(_explain(requirements, said, python_version, platform_name))


def _explain(requirements: Path, said: str, python_version: str, platform_name: str) -> str:
    """Turn pip's messages into one sentence that names both sides of a conflict."""
    lines = [line.strip() for line in said.splitlines()]
    if "The conflict is caused by:" in lines:
        begin = lines.index("The conflict is caused by:") + 1
        told = " | ".join(line for line in lines[begin:] if _SIDE.search(line))
        told = told.replace("The user requested (constraint)", "loadgen has")
        sides = told.replace("The user requested", "the file asks for").split(" | ")[:4]
        return (
            f"{requirements} conflicts with the packages that loadgen itself needs: "
            f"{'; '.join(sides)}: ask for the version that loadgen has, or leave that line out"
        )
    missing = _NOTHING_FOUND.search(said)
    if missing:
        return (
            f"{requirements} asks for {missing[1]}, and there is no wheel of it for Python "
            f"{python_version} on {platform_name}: check its name and version; where only sources "
            f"are published, build it on a machine like the hosts (pip wheel {missing[1]}) and put "
            f"the wheel into {requirements.parent / LOCAL_WHEELS}"
        )
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR:")]
    return f"{requirements} can't be resolved: {' '.join(errors) or said.strip()[-300:]}"


def _fetch(
    text: str, wheels: Path, requirements: Path, python_version: str, platform_name: str
) -> None:
    wheels.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=wheels.parent, prefix=".fetching-") as scratch:
        fresh = Path(scratch) / "wheels"
        fresh.mkdir()
        (fresh / REQUIREMENTS).write_text(text)
        words = [
            "download", "--quiet", "--no-deps", "--require-hashes",
            "--dest", str(fresh), "--requirement", str(fresh / REQUIREMENTS),
        ]  # fmt: skip
        _pip(words, requirements, python_version, platform_name)
        fresh.rename(wheels)


def installed(packages: Packages) -> Path:
    """Return where a set is installed on this machine, installing it the first time."""
    directory = cache_directory() / "packages" / "installed" / packages.sha256
    if not (directory / DONE_FILE).exists():
        directory.parent.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".installing-", dir=directory.parent))
        try:
            made = install(packages.wheels, fresh / "installed")
            shutil.rmtree(directory, ignore_errors=True)
            made.rename(directory)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
    return directory


def own_packages(requirements: Path) -> Path | None:
    """Return where what a file asks for is installed here; None when loadgen has all of it."""
    packages = resolve(requirements, this_python(), this_platform())
    return installed(packages) if packages else None


def install(wheels: Path, directory: Path) -> Path:
    """Install wheels alone into a directory of their own. OperationError: pip's words."""
    directory.mkdir(mode=DIRECTORY_MODE)
    command = [
        *PIP, "install", "--quiet", "--no-index", "--no-deps", "--no-cache-dir",
        "--require-hashes", "--no-warn-conflicts", "--find-links", str(wheels),
        "--target", str(directory), "--requirement", str(wheels / REQUIREMENTS),
    ]  # fmt: skip
    finished = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=directory,
        # If root has switched to another user: the real user id is changed too, so that there is
        # no way back.
        user=os.geteuid(),
        group=os.getegid(),
    )
    if finished.returncode:
        said = [line for line in finished.stderr.splitlines() if line.startswith("ERROR")]
        raise OperationError(
            "the scenario's packages can't be installed: "
            f"{' '.join(said) or finished.stderr.strip()[-300:]}"
        )
    (directory / DONE_FILE).touch()
    return directory
