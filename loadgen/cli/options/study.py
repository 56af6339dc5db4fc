"""`loadgen study NAME`: a published study, run again and held against what was published."""

from typing import TYPE_CHECKING

from loadgen.cli.options.results_directory import add_results
from loadgen.cli.verb import Late, Verb, VerbParser, positive, whole_number

if TYPE_CHECKING:
    from loadgen.studies.alarm import command
else:
    command = Late("loadgen.studies.alarm.command")


def _add_studies(verb: VerbParser) -> None:
    studies = verb.add_subparsers(required=True, metavar="STUDY", parser_class=VerbParser)
    words = "an alarm receiving centre's response times in an hour with outages"
    studies.add_parser(
        "alarm", help=words, description=f"Repeat {words}.", fill=lambda one: one.become(ALARM)
    )


def _add_alarm_options(verb: VerbParser) -> None:
    add = verb.add_argument
    add(
        "--speed",
        type=positive,
        default=1.0,
        help="how many times faster than real time to run (default: 1)",
    )
    add(
        "--seed",
        type=int,
        default=42,
        help="the random seed for the times of the faults (default: 42)",
    )
    add(
        "--checklist-position",
        type=whole_number(1),
        default=1,
        help=(
            "the receiver's position, from 1, on the checklist that the operators "
            "work through after a fault; outages last longer at later positions (default: "
            "1)"
        ),
    )
    add_results(verb)
    add("--web-port", type=int, help="the port of Locust's web UI (default: any free port)")


ALARM = Verb(
    _add_alarm_options,
    command.study,
    ("loadgen study alarm --speed 60",),
    epilog=(
        "exit codes: 0 the published figures were reproduced; 1 they were not; all others are "
        "those of loadgen run"
    ),
)
VERBS = {"study": Verb(_add_studies, command.study, ("loadgen study alarm --speed 60",))}
