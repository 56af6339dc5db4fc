"""A look at a run's locustfiles before anything is started.

Importing a locustfile runs its code, so this happens in a child process that ends afterwards
(`python -m loadgen.node.locustfile_check FILE...`). The answer crosses over as one line
of JSON on standard output, marked as such: the locustfile may write there before and after it, and
close or replace `sys.stdout`.
"""

import argparse
import contextlib
import io
import json
import math
import os
import site
import sys
import traceback
from collections.abc import Collection, Iterable, Mapping, Sequence
from numbers import Integral, Real
from types import FrameType
from typing import Any, cast

from pydantic import BaseModel

from loadgen.scenario.moved import new_place
from loadgen.shared.project import PROJECT
from loadgen.shared.secret_names import names_password, names_secret
from loadgen.specification.locust_options import VARIABLES

ANSWER = b"\nloadgen's look at the locustfile: "
ENDING = ("list_commands", "show_task_ratio", "show_task_ratio_json")
LIBRARY = os.path.dirname(os.__file__)  # noqa: PTH120 - as frames name it


class DuplicateClassError(ValueError):
    """Two locustfiles of a run define a class of one name."""


class BadAttributeError(ValueError):
    """A User class has an attribute that Locust can't work with; the text is a whole sentence."""


class Inspection(BaseModel):
    """What a run's locustfiles hold.

    `user_classes` maps each User class to its own `host`, if it has one; `fixed_counts` maps it to
    its `fixed_count`, and `idle` are those of which Locust starts no user. `tags` are those of
    their tasks. `simulator` is the module constant SIMULATOR: the bundled target that answers this
    scenario when no HOST is given.
    `error` is one sentence when a locustfile can't be used. `absent_variables` are those that its
    own code looked for in the environment and didn't find. `variables` are those that gave options
    of its own a value, None for a secret's. `notices` are for the user to read.
    """

    user_classes: dict[str, str | None] = {}
    fixed_counts: dict[str, int] = {}
    idle: list[str] = []
    tags: list[str] = []
    shapes: list[str] = []
    simulator: str | None = None
    error: str | None = None
    absent_variables: list[str] = []
    variables: dict[str, str | None] = {}
    notices: list[str] = []


def inspect_locustfiles(paths: Sequence[str]) -> Inspection:
    """Import locustfiles into this process and merge what they hold; a fault becomes `error`."""
    # Importing locust patches the standard library: never in the process that asks.
    from locust.util.load_locustfile import (  # noqa: PLC0415
        load_locustfile,
        load_locustfile_pytest,
    )

    users: dict[str, type[Any]] = {}
    shapes: dict[str, type[Any]] = {}
    try:
        for path in paths:
            own, own_shapes = load_locustfile(path)
            _add(users, own)
            _add(shapes, {type(shape).__name__: type(shape) for shape in own_shapes})
        if not users:
            # As Locust does: functions test_… are users, when there are no others.
            for path in paths:
                _add(users, load_locustfile_pytest(path))
        return _described(users, shapes)
    except BaseException as error:
        return Inspection(error=describe_import_error(error))


def _described(users: Mapping[str, type[Any]], shapes: Iterable[str]) -> Inspection:
    """Tell what User classes hold. BadAttributeError when Locust can't do anything with it."""
    if not users:
        raise BadAttributeError("it contains no User class: define one, for example with HttpUser")
    for name, user in users.items():
        _require_usable(name, user)
    modules = [sys.modules[user.__module__] for user in users.values()]
    simulators = [getattr(module, "SIMULATOR", None) for module in modules]
    return Inspection(
        user_classes={name: cast("str | None", _host(user)) for name, user in users.items()},
        fixed_counts={name: int(user.fixed_count) for name, user in users.items()},
        idle=[name for name, user in users.items() if user.weight <= 0 and user.fixed_count <= 0],
        tags=sorted({tag for user in users.values() for tag in _tags(_tasks(user))}),
        shapes=list(shapes),
        simulator=next((one for one in simulators if one and isinstance(one, str)), None),
    )


def _require_usable(name: str, user: type[Any]) -> None:
    """Raise BadAttributeError for an attribute with which Locust would fail in the run."""
    weight, fixed, host = user.weight, user.fixed_count, _host(user)
    if not isinstance(weight, Real) or not math.isfinite(weight):
        rule, named = "a number, such as 3 or 0.5", f"weight of {name} is {weight!r}"
    elif not isinstance(fixed, Integral):
        rule, named = "a whole number of users", f"fixed_count of {name} is {fixed!r}"
    elif not isinstance(host, str | None):
        rule, named = "a text, such as https://shop.example", f"host of {name} is {host!r}"
    elif not isinstance(user.tasks, list | tuple) and not _is_computed(user.tasks):
        rule, named = "a list", f"attribute tasks of {name} is {user.tasks!r}"
    else:
        return
    raise BadAttributeError(f"the {named}, but it must be {rule}; correct the class")


def _host(user: type[Any]) -> object:
    """Return a class's own host; None for one that each user computes."""
    return None if _is_computed(user.host) else user.host


def _is_computed(value: object) -> bool:
    """Tell whether it is a property, which has its value in each user alone."""
    return hasattr(type(value), "__get__")


def option_variables() -> dict[str, str | None]:
    """Return the variables that set options which the imported locustfiles have added."""
    from locust.argument_parser import get_parser  # noqa: PLC0415  as above

    found: dict[str, str | None] = {}
    for action in get_parser(default_config_files=[])._actions:
        name: str = getattr(action, "env_var", None) or ""
        if name in os.environ and name not in VARIABLES:
            secret = (
                getattr(action, "is_secret", False) or names_secret(name) or names_password(name)
            )
            found[name] = None if secret else os.environ[name]
    return found


def _tasks(owner: object) -> Iterable[object]:
    tasks = getattr(owner, "tasks", None)
    return tasks if isinstance(tasks, list | tuple) else ()


def _tags(tasks: Iterable[object]) -> set[str]:
    """Return the tags of tasks and of the tasks within them, which may hold each other."""
    found: set[str] = set()
    seen: list[object] = []
    left = list(tasks)
    while left:
        task = left.pop()
        found |= {str(tag) for tag in getattr(task, "locust_tag_set", set())}
        if isinstance(task, type) and task not in seen:
            seen.append(task)
            left += _tasks(task)
    return found


def _add(known: dict[str, type[Any]], found: Mapping[str, type[Any]]) -> None:
    """Add classes by name. ValueError when two files define one; importing one's own is none."""
    for name, one in found.items():
        if name in known and _file(known[name]) != _file(one):
            raise DuplicateClassError(
                f"{name} is defined in both {_file(known[name])} and {_file(one)}: rename "
                f"one of them, because Locust identifies classes by their names"
            )
        known.setdefault(name, one)


def _file(one: type[Any]) -> str:
    return str(getattr(sys.modules[one.__module__], "__file__", one.__module__))


def describe_import_error(error: BaseException) -> str:
    """One sentence: the kind, the message, and the user's own line on which it happened."""
    if isinstance(error, DuplicateClassError | BadAttributeError):
        return str(error)
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {error.msg} ({error.filename}, line {error.lineno})"
    where = ""
    trace = error.__traceback__
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        if not filename.startswith(("<", sys.prefix, sys.base_prefix)) and filename != __file__:
            where = f" ({filename}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return f"{_explain(error)}{where}"


def option_error(words: Sequence[str], user_classes: Collection[str]) -> str | None:
    """Say what is wrong with the options that the run will give to Locust; None if nothing is.

    Words that are no options choose among `user_classes`.

    The locustfiles must be imported: they may add options, which may be required.
    """
    from locust import events  # noqa: PLC0415  as above
    from locust.argument_parser import parse_options  # noqa: PLC0415

    from loadgen.node import locust_fixes  # noqa: PLC0415

    locust_fixes.read_no_configuration_files()
    for name in VARIABLES:
        os.environ.pop(name, None)
    adding = events.init_command_line_parser

    def add(**values: object) -> None:
        for handler in adding._handlers:
            handler(**values)

    adding.fire = add  # type: ignore[method-assign]  # Locust's own logs what a listener raises
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
            taken = parse_options(list(words))
    except SystemExit:
        fault = " ".join(said.getvalue().rpartition("error: ")[2].split()).rstrip("?.")
        return (
            f"Locust doesn't accept the options: {fault}; give options of the locustfile after --"
            if fault
            else f"an option of {' '.join(words)} prints something and ends Locust; leave it out"
        )
    except Exception as error:
        return f"it can't add its options: {describe_import_error(error)}"
    if any(getattr(taken, name, False) for name in ENDING):
        return f"an option of {' '.join(words)} prints something and ends Locust; leave it out"
    if unknown := [name for name in taken.user_classes if name not in user_classes]:
        return (
            f"it has no User class {', '.join(unknown)}: its User classes are"
            f" {', '.join(user_classes)}"
        )
    return _shortened(words)


def _shortened(words: Sequence[str]) -> str | None:
    """Refuse an option that Locust guesses by its beginning, as it may be one of loadgen's own."""
    from locust.argument_parser import get_parser  # noqa: PLC0415  as above

    known = list(get_parser(default_config_files=[])._option_string_actions)
    for word in words:
        flag = word.partition("=")[0]
        whole = [one for one in known if one.startswith(flag)]
        if flag.startswith("--") and flag not in known and whole:
            return (
                f"{flag} is an abbreviation of {' or '.join(whole)}: give the whole name "
                f"of the option"
            )
    return None


def _explain(error: BaseException) -> str:
    if isinstance(error, KeyError) and _raised_in(error, os.getenv.__code__.co_filename):
        name = error.args[0]
        return (
            f"it reads the environment variable {name}, which is not set: give --env {name} "
            f"for this machine's value, or --env {name}=VALUE"
        )
    if isinstance(error, ModuleNotFoundError) and error.name:
        return new_place(error) or (
            f"it imports {error.name}, which was not found: list its package in a requirements.txt "
            f"beside the locustfile, or put the module beside the locustfile"
        )
    if isinstance(error, FileNotFoundError) and error.filename:
        return (
            f"{error.filename} was not found: build the path from Path(__file__).parent, "
            f"because the working directory differs from machine to machine"
        )
    said = f"{type(error).__name__}: {_text(error)}".rstrip(": ")
    if isinstance(error, SystemExit):
        return (
            f"it ends the process that imports it ({said}): move code that is meant only for "
            "running the file by hand, such as run_single_user or reading sys.argv, "
            'under if __name__ == "__main__"'
        )
    if isinstance(error, EOFError):
        return (
            f"it asks for input ({said}), but nobody can answer during a run: read "
            f"the value from an environment variable"
        )
    return said


def _text(error: BaseException) -> str:
    try:
        return " ".join(str(error).split())
    except Exception as fault:
        return f"its source can't be read ({type(fault).__name__}: {fault})"


def _raised_in(error: BaseException, file: str) -> bool:
    """Tell whether one of the innermost frames of an error is in a file."""
    frames = list(traceback.walk_tb(error.__traceback__))[-2:]
    return any(frame.f_code.co_filename == file for frame, _ in frames)


def parse_inspection(output: bytes) -> Inspection:
    """Read what `main` wrote. Raises ValueError when the child ended without it."""
    _, found, rest = output.rpartition(ANSWER)
    if not found:
        raise ValueError("the locustfile ended the process that imported it")
    return Inspection.model_validate_json(rest.partition(b"\n")[0])


def is_answered(output: bytes | bytearray) -> bool:
    """Tell whether the answer is there, whole."""
    return output.find(b"\n", output.rfind(ANSWER) + len(ANSWER)) >= 0 and ANSWER in output


class AbsentVariables:
    """Notes which variables a scenario's own code looks for and doesn't find."""

    def __init__(self, directories: Sequence[str]) -> None:
        self.names: list[str] = []
        self._directories = tuple(directories)

    def watch(self) -> None:
        """Begin, for the rest of this process."""
        kind = type(os.environ)
        found = kind.__getitem__

        def look_up(environment: "os._Environ[str]", name: str) -> str:
            try:
                return found(environment, name)
            except KeyError:
                if name not in self.names and self._asked_by_the_scenario():
                    self.names.append(name)
                raise

        kind.__getitem__ = look_up  # type: ignore[method-assign]

    def _asked_by_the_scenario(self) -> bool:
        """Tell whether the call comes from the scenario, with nothing between but the library."""
        frame: FrameType | None = sys._getframe(2)
        while frame is not None and frame.f_code.co_filename.startswith(("<", LIBRARY)):
            if "site-packages" in frame.f_code.co_filename:
                return False
            frame = frame.f_back
        return frame is not None and frame.f_code.co_filename.startswith(self._directories)


def main(arguments: Sequence[str]) -> None:
    """Write the inspection to standard output."""
    answering = os.dup(1)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--packages", help="the directory with the scenario's own packages")
    parser.add_argument("paths", nargs="+")
    parser.add_argument(
        "--options", help="the options that the run passes to Locust, as a JSON list"
    )
    options = parser.parse_args(arguments)
    sys.path.insert(0, str(PROJECT))
    if options.packages:
        site.addsitedir(options.packages)
    absent = AbsentVariables([os.path.dirname(path) for path in options.paths])  # noqa: PTH120
    absent.watch()
    found = inspect_locustfiles(options.paths)
    found.absent_variables = absent.names
    if found.error is None:
        found.variables = option_variables()
        found.error = (
            option_error(json.loads(options.options), found.user_classes)
            if options.options
            else None
        )
    with open(answering, "wb") as answer:  # noqa: PTH123 - a descriptor
        answer.write(ANSWER + found.model_dump_json().encode() + b"\n")


if __name__ == "__main__":
    main(sys.argv[1:])
