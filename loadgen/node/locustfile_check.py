"""A look at a run's locustfiles before anything is started.

Importing a locustfile runs its code, so this happens in a child process that ends afterwards
(`python -m loadgen.node.locustfile_check FILE...`); the answer crosses over as one line of JSON.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from loadgen.shared.project import PROJECT


class DuplicateClassError(ValueError):
    """Two locustfiles of a run define a class of one name."""


class Inspection(BaseModel):
    """What a run's locustfiles hold.

    `user_classes` maps each User class to its own `host`, if it has one. `tags` are those of its
    tasks. `simulator` is the
    module constant SIMULATOR: the bundled target that answers this scenario when no HOST is given.
    `error` is one sentence when a locustfile can't be used.
    """

    user_classes: dict[str, str | None] = {}
    tags: list[str] = []
    shapes: list[str] = []
    simulator: str | None = None
    error: str | None = None


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
    except BaseException as error:
        return Inspection(error=describe_import_error(error))
    modules = [sys.modules[user.__module__] for user in users.values()]
    simulators = [module.SIMULATOR for module in modules if hasattr(module, "SIMULATOR")]
    return Inspection(
        user_classes={name: user.host for name, user in users.items()},
        tags=sorted({tag for user in users.values() for tag in _tags(user.tasks)}),
        shapes=list(shapes),
        simulator=simulators[0] if simulators else None,
        error=None if users else "it holds no User class: define one, for example with HttpUser",
    )


def _tags(tasks: Iterable[object]) -> set[str]:
    """Return the tags of tasks and of the tasks within them."""
    found: set[str] = set()
    for task in tasks:
        found |= getattr(task, "locust_tag_set", set())
        if isinstance(task, type):
            found |= _tags(getattr(task, "tasks", ()))
    return found


def _add(known: dict[str, type[Any]], found: Mapping[str, type[Any]]) -> None:
    """Add classes by name. ValueError when two files define one; importing one's own is none."""
    for name, one in found.items():
        if name in known and _file(known[name]) != _file(one):
            raise DuplicateClassError(
                f"{name} is defined in both {_file(known[name])} and {_file(one)}: rename one, as"
                " Locust knows classes by their names"
            )
        known.setdefault(name, one)


def _file(one: type[Any]) -> str:
    return str(getattr(sys.modules[one.__module__], "__file__", one.__module__))


def describe_import_error(error: BaseException) -> str:
    """One sentence: the kind, the message, and the user's own line on which it happened."""
    if isinstance(error, DuplicateClassError):
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
    return f"{type(error).__name__}: {error}{where}"


def parse_inspection(output: str) -> Inspection:
    """Read what `main` wrote. Raises ValueError when the child ended without it."""
    lines = output.strip().splitlines()
    if not lines:
        raise ValueError("the locustfile ended the process that looked at it")
    return Inspection.model_validate(json.loads(lines[-1]))


def main(paths: Sequence[str]) -> None:
    """Print the inspection as the last line of standard output."""
    sys.path.insert(0, str(PROJECT))
    print("\n" + inspect_locustfiles(paths).model_dump_json(), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
