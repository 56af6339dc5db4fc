"""Verbs on a machine and a project of the user's own: what can be typed."""

from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.cli.options.inventory import add_inventory
from loadgen.cli.verb import Late, Verb, VerbParser

if TYPE_CHECKING:
    from loadgen.cli import project
else:
    project = Late("loadgen.cli.project")


def _add_init_options(verb: VerbParser) -> None:
    verb.add_argument("directory", type=Path, help="where the project goes: a new directory")


def _add_doctor_options(verb: VerbParser) -> None:
    add_inventory(verb, "look at this fleet's hosts too")
    verb.add_argument(
        "--results", type=Path, default=Path("results"), help="where results go (results)"
    )


def _add_completion_options(verb: VerbParser) -> None:
    verb.add_argument("shell", choices=("bash", "zsh", "fish"), help="your shell")


VERBS = {
    "completion": Verb(
        _add_completion_options,
        project.complete,
        ("loadgen completion bash", "loadgen completion fish"),
        epilog='Put eval "$(loadgen completion bash)" into ~/.bashrc; zsh and fish likewise.',
    ),
    "init": Verb(_add_init_options, project.init, ("loadgen init my-load-tests",)),
    "doctor": Verb(
        _add_doctor_options,
        project.diagnose,
        ("loadgen doctor", "loadgen doctor --inventory inventory/mine"),
    ),
}
