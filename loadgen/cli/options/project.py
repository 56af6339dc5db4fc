"""Verbs on a machine and a project of the user's own: what can be typed."""

from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.cli.options.inventory import add_inventory
from loadgen.cli.options.results_directory import add_results
from loadgen.cli.verb import Late, Verb, VerbParser

if TYPE_CHECKING:
    from loadgen.cli import project
else:
    project = Late("loadgen.cli.project")

SHELLS = """In bash, add this line to ~/.bashrc: eval "$(loadgen completion bash)"
In zsh, add this line to ~/.zshrc: eval "$(loadgen completion zsh)"
In fish, add this line to ~/.config/fish/config.fish: loadgen completion fish | source"""


def _add_init_options(verb: VerbParser) -> None:
    verb.add_argument("directory", type=Path, help="a new directory for the project")


def _add_doctor_options(verb: VerbParser) -> None:
    add_inventory(verb, "also check the hosts of this inventory")
    add_results(verb)


def _add_completion_options(verb: VerbParser) -> None:
    verb.add_argument("shell", choices=("bash", "zsh", "fish"), help="the shell that you use")


VERBS = {
    "completion": Verb(
        _add_completion_options,
        project.complete,
        ("loadgen completion bash", "loadgen completion fish"),
        epilog=SHELLS,
    ),
    "init": Verb(_add_init_options, project.init, ("loadgen init my-load-tests",)),
    "doctor": Verb(
        _add_doctor_options,
        project.diagnose,
        ("loadgen doctor", "loadgen doctor --inventory inventory/mine"),
    ),
}
