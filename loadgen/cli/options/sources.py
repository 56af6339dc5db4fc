"""Verbs that make scenarios of what a team has already: access logs, API descriptions."""

from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.cli.verb import Late, Verb, VerbParser

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
        help="access logs, plain or gzip: common, combined, nginx, Apache, HAProxy, JSON lines",
    )
    verb.add_argument(
        "--host",
        help="base URL of the system to load; the host in the log is never used by default",
    )
    verb.add_argument("--factor", type=float, default=1.0, help="times as many visits (1)")
    verb.add_argument(
        "--span",
        choices=["hour", "day", "whole"],
        default="day",
        help="replay the busiest hour or day of the log, or the whole of it (day)",
    )
    verb.add_argument(
        "--output",
        "-o",
        type=Path,
        help="the locustfile; profile and experiment go beside it (locustfiles/<log>_mix.py)",
    )


def _add_scaffold_options(verb: VerbParser) -> None:
    verb.add_argument("description", type=Path, help="OpenAPI 3.0 or 3.1, YAML or JSON")
    verb.add_argument("--host", help="base URL of the system to load (the description's server)")
    verb.add_argument(
        "--output",
        "-o",
        type=Path,
        help="the locustfile; the answers' schemas go beside it (locustfiles/<description>.py)",
    )


VERBS = {
    "mix": Verb(
        _add_mix_options,
        access_logs.mix,
        (
            "loadgen mix access.log access.log.1.gz --host https://test.example",
            "loadgen mix access.log --span hour --factor 2 --output my/mix.py",
        ),
    ),
    "scaffold": Verb(
        _add_scaffold_options,
        api_descriptions.scaffold,
        ("loadgen scaffold openapi.yaml --host https://test.example",),
    ),
}
