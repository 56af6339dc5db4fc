"""Verbs that make and try scenarios: what can be typed."""

from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.cli.verb import Late, Verb, VerbParser
from loadgen.simulators import NAMES

if TYPE_CHECKING:
    from loadgen.cli import scenario
    from loadgen.simulators import __main__ as simulator
else:
    scenario = Late("loadgen.cli.scenario")
    simulator = Late("loadgen.simulators.__main__")


def _add_probe_options(verb: VerbParser) -> None:
    verb.add_argument("--locustfile", "-f", required=True, help="the locustfile")
    verb.add_argument(
        "--host",
        "-H",
        help="the target's base URL (default: the simulated target that belongs to "
        "this locustfile)",
    )


def _add_record_options(verb: VerbParser) -> None:
    verb.add_argument(
        "har",
        type=Path,
        nargs="?",
        help=(
            "the HAR file that a browser saved; with --browser, the file in which to keep the "
            "recording"
        ),
    )
    verb.add_argument(
        "--browser",
        metavar="URL",
        help=(
            "open a browser at this URL and record until you close its window (needs Playwright)"
        ),
    )
    verb.add_argument(
        "--output",
        "-o",
        type=Path,
        help="the locustfile to write (default: locustfiles/<name of the HAR file>.py)",
    )
    verb.add_argument(
        "--host", help="the base URL of the site to load; requests to other sites are left out"
    )


def _add_simulators(verb: VerbParser) -> None:
    names = verb.add_subparsers(required=True, metavar="NAME", parser_class=VerbParser)
    for name in NAMES:
        names.add_parser(name, fill=lambda parser, name=name: parser.become(_simulator(name)))


def _simulator(name: str) -> Verb:
    return Verb(
        lambda parser: simulator.add_options(parser, name),
        simulator.serve,
        (f"loadgen simulator {name} --listen 127.0.0.1:8000",),
    )


VERBS = {
    "probe": Verb(
        _add_probe_options,
        scenario.probe,
        ("loadgen probe --locustfile locustfiles/dspace.py",),
    ),
    "record": Verb(
        _add_record_options,
        scenario.record,
        ("loadgen record session.har", "loadgen record --browser https://shop.example"),
    ),
    "simulator": Verb(
        _add_simulators,
        simulator.serve,
        ("loadgen simulator hello --listen 127.0.0.1:8000", "loadgen simulator dspace --help"),
    ),
}
