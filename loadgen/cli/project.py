"""Verbs on a machine and a project of the user's own: lay one out, and say what is missing."""

import argparse
import shutil
from importlib.resources import as_file, files
from pathlib import Path

from argcomplete.shell_integration import shellcode

from loadgen.cli import doctor
from loadgen.shared import exit_codes
from loadgen.shared.command import as_typed
from loadgen.shared.errors import UsageError
from loadgen.shared.project import KIT

RENAMED = {"gitignore": ".gitignore"}
INVENTORY = Path("inventory") / "mine"


def init(options: argparse.Namespace) -> int:
    """Carry out `loadgen init`: write a project's files into a directory that is empty or new."""
    directory: Path = options.directory
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError(
            f"{directory} exists and is not an empty directory: nothing was written, so that none "
            "of your files is lost; give the name of a new directory"
        )
    try:
        _write(directory)
    except OSError as error:
        raise UsageError(
            f"{directory} can't be written ({error.strerror or error}): give a directory that you "
            "can write to, with some free space"
        ) from error
    print(_next_steps(directory))
    return exit_codes.PASSED


def _write(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    with as_file(files("loadgen.cli") / "new_project") as template:
        shutil.copytree(template, directory, dirs_exist_ok=True, ignore=_leave_out)
    for theirs, ours in RENAMED.items():
        (directory / theirs).rename(directory / ours)
    shutil.copytree(KIT / "inventory" / "sample", directory / INVENTORY, ignore=_leave_out)


def _leave_out(_: str, names: list[str]) -> set[str]:
    return {name for name in names if name == "__pycache__" or name.endswith(".pyc")}


def _next_steps(directory: Path) -> str:
    return "\n".join(
        (
            (
                f"{directory} now holds your project: a locustfile, an experiment, and an "
                "inventory to edit."
            ),
            "Next:",
            f"  cd {directory}",
            "  loadgen probe --locustfile locustfile.py     # runs each task once",
            "  loadgen run --experiment experiment.yml      # runs a load test and judges it",
        )
    )


def diagnose(options: argparse.Namespace) -> int:
    """Carry out `loadgen doctor`: exit 4 when something is missing."""
    findings = doctor.look_here(options.results)
    if options.inventory is not None:
        findings += doctor.look_at_fleet(options.inventory, options.vault)
    print(as_typed(doctor.describe(findings)))
    lacking = any(finding.state == "lacking" for finding in findings)
    return exit_codes.ERROR if lacking else exit_codes.PASSED


def complete(options: argparse.Namespace) -> int:
    """Carry out `loadgen completion`."""
    print(shellcode(["loadgen"], shell=options.shell))
    return exit_codes.PASSED
