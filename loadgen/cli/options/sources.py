"""Verbs that make scenarios of what a team has already: access logs, API descriptions."""

from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.cli.verb import Late, Verb, VerbParser, positive

if TYPE_CHECKING:
    from loadgen.access_logs import command as access_logs
    from loadgen.api_descriptions import command as api_descriptions
else:
    access_logs = Late("loadgen.access_logs.command")
    api_descriptions = Late("loadgen.api_descriptions.command")


def _add_mix_options(verb: VerbParser) -> None:
    verb.add_argument(
        "logs",
        type=Path,
        nargs="+",
        help=(
            "access logs, plain or compressed, in the format common, combined, nginx, "
            "Apache, HAProxy or JSON lines"
        ),
    )
    verb.add_argument(
        "--host",
        help="the base URL of the system to load; host names in the log are ignored",
    )
    verb.add_argument(
        "--factor",
        type=positive,
        default=1.0,
        help="the factor by which the visits in the log are multiplied (default: 1)",
    )
    verb.add_argument(
        "--span",
        choices=["hour", "day", "whole"],
        default="day",
        help="replay the log's busiest hour, its busiest day, or the whole log (default: day)",
    )
    verb.add_argument(
        "--time-zone",
        help="the zone of times that don't say theirs, such as Europe/Berlin (default: UTC)",
    )
    verb.add_argument(
        "--output",
        "-o",
        type=Path,
        help=(
            "the locustfile to write (default: locustfiles/<log>_mix.py); a file of "
            "arrival rates and an experiment are written beside it"
        ),
    )


def _add_scaffold_options(verb: VerbParser) -> None:
    verb.add_argument(
        "description",
        type=Path,
        help="a file with an OpenAPI 3.0 or 3.1 description, as YAML or JSON",
    )
    verb.add_argument(
        "--host",
        help="the base URL of the system to load (default: the server that the description names)",
    )
    verb.add_argument(
        "--output",
        "-o",
        type=Path,
        help=(
            "the locustfile to write (default: locustfiles/<description>.py); the "
            "schemas of the responses are written beside it"
        ),
    )


VERBS = {
    "mix": Verb(
        _add_mix_options,
        access_logs.mix,
        (
            "loadgen mix access.log access.log.1.gz --host https://test.example",
            "loadgen mix access.log --span hour --factor 2 --output my/mix.py",
        ),
        waits_for="the logs to be read",
    ),
    "scaffold": Verb(
        _add_scaffold_options,
        api_descriptions.scaffold,
        ("loadgen scaffold openapi.yaml --host https://test.example",),
        waits_for="the description to be read",
    ),
}
