"""`loadgen study NAME`: a published study, run again and held against what was published."""

from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.cli.verb import Late, Verb, VerbParser

if TYPE_CHECKING:
    from loadgen.studies.alarm import command
else:
    command = Late("loadgen.studies.alarm.command")


def _add_studies(verb: VerbParser) -> None:
    studies = verb.add_subparsers(required=True, metavar="STUDY", parser_class=VerbParser)
    words = "the hour under fault of an alarm receiving centre"
    studies.add_parser(
        "alarm", help=words, description=f"Run {words} again.", fill=lambda one: one.become(ALARM)
    )


def _add_alarm_options(verb: VerbParser) -> None:
    add = verb.add_argument
    add("--speed", type=float, default=1.0, help="study seconds in a real second (1)")
    add("--seed", type=int, default=42, help="of the fault schedule (42)")
    add("--checklist-position", type=int, default=1, help="the receiver's, from 1 (1)")
    add("--results", type=Path, default=Path("results"), help="where results go (results)")
    add("--web-port", type=int, help="port of Locust's web UI (any free one)")


ALARM = Verb(
    _add_alarm_options,
    command.study,
    ("loadgen study alarm --speed 60",),
    epilog="exit codes: 0 reproduced, 1 not reproduced, otherwise those of loadgen run",
)
VERBS = {"study": Verb(_add_studies, command.study, ("loadgen study alarm --speed 60",))}
