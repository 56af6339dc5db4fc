"""A command: how it ends, and the form in which it was typed.

It ends with its exit code, and a fault is one sentence, never a traceback. Messages are written in
loadgen's own form, also those that come from a host. make says in the environment which verbs are
its targets and what it calls the options, and `as_typed` turns a message into that form where it is
printed.
"""

import errno
import io
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

from loadgen.shared.errors import LoadgenError, OperationError
from loadgen.shared.text import plain

# What the system refuses because of a path, its owner or its disk, and not because of a fault here.
REFUSED = frozenset(
    (
        errno.EACCES,
        errno.EPERM,
        errno.EROFS,
        errno.ENOSPC,
        errno.EDQUOT,
        errno.ENOTDIR,
        errno.ENAMETOOLONG,
        errno.ELOOP,
    )
)
NO_TEMPORARY = "No usable temporary directory"
"""What Python's `tempfile` says first where it finds no directory that can be written to."""

TARGETS = "LOADGEN_MAKE_TARGETS"
VARIABLES = "LOADGEN_MAKE_VARIABLES"
"""Names with blanks between them; `NAME=1` is a switch. The Makefile sets both."""
RENAMED = {"run": "run-distributed"}
WITHOUT_TARGET = {
    *("compare", "completion", "doctor", "evaluate", "export", "import", "init", "mix", "prune"),
    *("rerun", "resume", "scaffold", "study"),
}
"""Verbs that are no targets of the Makefile; a test holds the list."""
_VALUE = r"'[^']*'|[^\s'-](?:\S*[^\s,.;:)])?"
_COMMAND = re.compile(
    rf"(?<![\w./-])loadgen (?P<verb>[a-z]+(?:-[a-z]+)*)"
    rf"(?P<options>(?: --[a-z][a-z-]*(?:[ =](?:{_VALUE}))?)*)"
)
_OPTION = re.compile(rf"(?<![\w-])--(?P<name>[a-z]+(?:-[a-z]+)*)(?P<value>[ =](?:{_VALUE}))?")


class _Heedless(io.FileIO):
    """A file whose reader may go."""

    def write(self, data: Any, /) -> int:  # noqa: ANN401  what a buffer is has no name in 3.11
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            return memoryview(data).nbytes


def outlive_readers() -> None:
    """Let this process go on when nobody reads its output any more, as after `loadgen run | head`.

    What it prints then goes nowhere. A run would otherwise end, and its results would be lost. For
    the same reason a character that the terminal's encoding lacks is printed as its code.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper) or stream is not getattr(sys, f"__{name}__"):
            continue
        stream.flush()
        heedless = io.BufferedWriter(_Heedless(stream.fileno(), "wb", closefd=False))
        line_by_line = stream.line_buffering or name == "stderr"
        text = io.TextIOWrapper(
            heedless, stream.encoding, "backslashreplace", line_buffering=line_by_line
        )
        setattr(sys, name, text)


def ending(carry_out: Callable[[], int | None], name: str = "") -> int:
    """Carry out a command and return its exit code, 0 for None.

    A LoadgenError is printed on standard error, after `name`, and gives its own code; so does a
    path that the system refuses, with the code of an OperationError. What they quote may come from
    a host or a target, so that it is printed without control characters.
    """
    try:
        return carry_out() or 0
    except LoadgenError as error:
        return _told(name, error)
    except OSError as error:
        if error.filename is None and (error.strerror or "").startswith(NO_TEMPORARY):
            return _told(
                name,
                OperationError(
                    f"{error.strerror}: set TMPDIR to a directory that you can write to"
                ),
            )
        if error.filename is None or error.errno not in REFUSED:
            raise
        return _told(
            name,
            OperationError(
                f"{error.filename} can't be used ({error.strerror}): check its permissions and the "
                "free space there, or give another path"
            ),
        )


def _told(name: str, error: LoadgenError) -> int:
    print(f"{name}: " * bool(name) + as_typed(plain(str(error))), file=sys.stderr)
    return error.exit_code


def by_make(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether make called this command."""
    return TARGETS in environment


def as_typed(text: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return a message with its commands and options in the form that the person has typed."""
    if not by_make(environment):
        return text
    form = _Make(environment[TARGETS].split(), environment.get(VARIABLES, "").split())
    parts, end = [], 0
    for found in _COMMAND.finditer(text):
        parts += [form.sentence(text[end : found.start()]), form.command(found)]
        end = found.end()
    return "".join([*parts, form.sentence(text[end:])])


class _Make:
    """How make calls verbs and options."""

    def __init__(self, targets: list[str], variables: list[str]) -> None:
        self._targets = targets
        self._variables = {
            name.partition("=")[0].lower().replace("_", "-"): name for name in variables
        }

    def sentence(self, text: str) -> str:
        """Name each option as make does; a value stays where it is."""
        return _OPTION.sub(
            lambda found: (
                self._variables.get(found["name"], f"--{found['name']}") + (found["value"] or "")
            ),
            text,
        )

    def command(self, found: re.Match[str]) -> str:
        """Write a command for make, or for this environment's loadgen where make can't do it."""
        verb, options = found["verb"], found["options"]
        target = RENAMED.get(verb, verb)
        if target not in self._targets and verb not in WITHOUT_TARGET:
            return self.sentence(found[0])
        names = {one["name"] for one in _OPTION.finditer(options)}
        if target in self._targets and names <= self._variables.keys():
            return f"make {target}{_OPTION.sub(self._joined, options)}"
        own = f"{verb.upper()}_OPTIONS"
        if target in self._targets and own in self._variables.values():
            return f"make {target} {own}='{options.strip()}'"
        return f"{os.path.relpath(sys.argv[0])} {verb}{options}"

    def _joined(self, found: re.Match[str]) -> str:
        """Write NAME=value; a switch has no value, so what follows it is prose."""
        name, value = self._variables[found["name"]], found["value"] or ""
        return f"{name}{value}" if "=" in name or not value else f"{name}={value[1:]}"
