"""Verbs on the lab: what can be typed."""

from loadgen.cli.lab import lab, lab_down, lab_host
from loadgen.cli.verb import Verb, VerbParser


def _add_lab_options(verb: VerbParser) -> None:
    verb.add_argument(
        "--workers",
        type=int,
        default=3,
        choices=range(1, 7),
        metavar="1-6",
        help="how many worker hosts to start in addition to the master (default: 3)",
    )


def _add_host_options(verb: VerbParser) -> None:
    verb.add_argument(
        "words",
        nargs="*",
        help="an action and a host, such as cut worker1; without them, all actions are printed",
    )


def _add_down_options(verb: VerbParser) -> None:
    verb.add_argument(
        "--purge", action="store_true", help="also remove the images that are kept for the next lab"
    )


VERBS = {
    "lab": Verb(
        _add_lab_options,
        lab,
        ("loadgen lab --workers 4",),
        passes_on="ansible-playbook",
    ),
    "lab-host": Verb(_add_host_options, lab_host, ("loadgen lab-host cut worker1",)),
    "lab-down": Verb(
        _add_down_options,
        lab_down,
        ("loadgen lab-down --purge",),
        passes_on="ansible-playbook",
    ),
}
