"""The `loadgen` command: what make calls, and what scripts and CI call themselves.

What can be typed is in `loadgen.cli.options`. What a verb does is imported when it is carried out,
so that help is quick and a machine needs the packages of the verbs only that it uses.
"""

import argparse
import importlib
import os
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import version

from loadgen.cli.verb import Verb, VerbParser, refusal
from loadgen.shared import command, exit_codes
from loadgen.shared.errors import UsageError

# Module of loadgen.cli.options → verb → its help; each module holds VERBS.
GROUPS = {
    "project": {
        "init": "lay out a project of your own: a scenario, an experiment, an inventory",
        "doctor": "say what this machine, or a fleet, lacks",
        "completion": "print what completes loadgen's words in your shell",
    },
    "run": {
        "run": "run a load test and judge it",
        "resume": "go on with a sweep or search that was ended",
    },
    "scenario": {
        "probe": "walk one iteration of a scenario, step by step",
        "record": "make a locustfile that runs from a browser's HAR file",
        "simulator": "serve a simulated target",
    },
    "sources": {
        "mix": "make a scenario and an experiment from access logs",
        "scaffold": "make a scenario from an API's description (OpenAPI)",
    },
    "watch": {
        "watch": "watch the running test: Grafana's address, or live in this terminal",
        "monitoring": "run Prometheus, and Grafana where installed, on this machine",
    },
    "results": {
        "results": "list runs, or name the baseline",
        "compare": "compare two runs by name; exit 1 on a regression",
        "evaluate": "draw pictures and tables from a run's request log",
        "prune": "remove old runs, after asking",
    },
    "repeat": {
        "rerun": "repeat a run from what it kept, and compare both",
        "export": "make one archive of a run to hand on, without secrets",
        "import": "take an exported run into the archive",
    },
    "study": {"study": "run a published study again"},
    "deploy": {
        "deploy": "turn the hosts of an inventory into a fleet, ready and idle",
        "verify": "look whether the fleet answers; changes nothing",
        "rotate": "make new channel keys and certificates for an idle fleet",
        "teardown": "give every host of the fleet back as it was",
        "teardown-workers": "give the worker hosts back as they were",
    },
    "fleet": {
        "status": "tell what each host of a fleet is doing",
        "stop": "end the run that is under way on a fleet, and collect it",
        "logs": "print the newest journal lines of every host of a fleet",
        "drain": "take worker hosts out of a run under way, last statistics first",
    },
    "lab": {
        "lab": "start real hosts for tests on this machine (root on Debian)",
        "lab-host": "stop, start, cut off or slow a lab host",
        "lab-down": "remove the lab's hosts; images in /var/cache/loadgen-lab and packages stay",
    },
}
EPILOG = """example: loadgen run --locustfile my/locustfile.py --host https://shop.example

exit codes: 0 passed, 1 an SLO did not hold, 2 usage, 3 invalid measurement, 4 a machine or a
process failed, 130 interrupted (results are kept)"""


def main(arguments: list[str] | None = None) -> None:
    """Run one verb and exit with its code; a user's mistake is one sentence, never a traceback."""
    command.outlive_readers()

    def carry_out() -> int:
        options = parse(sys.argv[1:] if arguments is None else arguments)
        code: int = options.carry_out(options)
        return code

    try:
        code = command.ending(carry_out, "loadgen")
    except KeyboardInterrupt:
        print("loadgen: ended by the user", file=sys.stderr)
        code = exit_codes.INTERRUPTED
    sys.exit(code)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line. UsageError: a verb or an option that isn't there, or a wrong value."""
    parser, verbs = make_parser()
    if "_ARGCOMPLETE" in os.environ:
        # The shell asks for words; nobody else has to wait for the import.
        import argcomplete  # noqa: PLC0415

        argcomplete.autocomplete(parser)
    options, unknown = parser.parse_known_args(arguments)
    if unknown:
        raise UsageError(refusal(options.verb, unknown, _filled(verbs)))
    return options


def make_parser() -> tuple[VerbParser, dict[str, VerbParser]]:
    """Return the command's parser, and that of each verb, not filled yet."""
    parser = VerbParser(
        prog="loadgen",
        description="Run distributed load tests on Locust, on this machine or a fleet.",
        epilog=EPILOG,
    )
    parser.add_argument("--version", action=Version, nargs=0, help="print versions and exit")
    actions = parser.add_subparsers(required=True, metavar="VERB", parser_class=VerbParser)
    verbs = {
        name: actions.add_parser(
            name,
            help=words,
            description=f"{words[0].upper()}{words[1:]}.",
            fill=lambda verb, module=module, name=name: verb.become(find(module, name)),
        )
        for module, texts in GROUPS.items()
        for name, words in texts.items()
    }
    return parser, verbs


class Version(argparse.Action):
    """Prints what a report of a fault needs: the kit's, Locust's and Python's versions."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print and exit."""
        names = {"loadgen": "loadgen-fleet", "Locust": "locust"}
        found = [f"{name} {version(package)}" for name, package in names.items()]
        print(", ".join([*found, f"Python {platform.python_version()}"]))
        parser.exit()


def find(module: str, name: str) -> Verb:
    """Import the words of a verb's group."""
    verbs: dict[str, Verb] = importlib.import_module(f"loadgen.cli.options.{module}").VERBS
    return verbs[name]


def _filled(verbs: dict[str, VerbParser]) -> Iterator[VerbParser]:
    for verb in verbs.values():
        try:
            verb.fill()
        except UsageError:
            continue
        yield verb
