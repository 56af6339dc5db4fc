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
from loadgen.runs.waiting import waiting_for
from loadgen.shared import command, exit_codes
from loadgen.shared.errors import UsageError

# Module of loadgen.cli.options → verb → its help; each module holds VERBS.
GROUPS = {
    "project": {
        "init": "create a project of your own: a locustfile, an experiment, an inventory",
        "doctor": "check this machine or a fleet, and say what is missing",
        "completion": "print a script that lets your shell complete loadgen's commands with Tab",
    },
    "run": {
        "run": "run a load test and judge it",
        "resume": "continue a sweep or a capacity search that was ended early",
    },
    "scenario": {
        "probe": "run each task of a scenario once, and print every request",
        "record": "make a locustfile from a browser's recording (a HAR file)",
        "simulator": "start a simulated target by itself, without a load test",
    },
    "sources": {
        "mix": "make a scenario and an experiment from access logs",
        "scaffold": "make a scenario from an API's description (OpenAPI)",
    },
    "watch": {
        "watch": "show the running test in this terminal, or print Grafana's address if it answers",
        "monitoring": "run Prometheus on this machine, and Grafana if it is installed",
    },
    "results": {
        "results": "list all runs, or choose the baseline run for comparisons",
        "compare": "compare two runs for each request name; exit with 1 on a regression",
        "evaluate": "draw pictures and tables from a run's request log",
        "prune": "remove old runs after asking you",
    },
    "repeat": {
        "rerun": "repeat a run with the files that its results contain, and compare the two runs",
        "export": "pack a run without its secrets into one file that you can pass on",
        "import": "unpack an exported run into your results",
    },
    "study": {"study": "repeat a published study"},
    "deploy": {
        "deploy": "turn the hosts of an inventory into a fleet, ready and idle",
        "verify": "check that the fleet answers, and change nothing",
        "rotate": "make new keys and certificates for the connections of an idle fleet",
        "teardown": "remove loadgen from every host of the fleet",
        "teardown-workers": "remove loadgen from the worker hosts",
    },
    "fleet": {
        "status": "show what each host of a fleet is doing",
        "stop": "end the run that is under way on a fleet, and collect its results",
        "logs": "print the newest journal lines of every host of a fleet",
        "drain": "take worker hosts out of a run, and keep the statistics that they have gathered",
    },
    "lab": {
        "lab": "start a lab of simulated hosts on this machine, for tests (needs root on Debian)",
        "lab-host": "stop, start, cut off or slow down one of the lab's hosts",
        "lab-down": "remove the lab's hosts; its images in /var/cache/loadgen-lab and the "
        "installed packages stay",
    },
}
EPILOG = """example: loadgen run --locustfile my/locustfile.py --host https://shop.example

exit codes of loadgen run: 0 the run passed; 1 an SLO did not hold; 2 the command can't be used, and
nothing was started; 3 the measurement can't be trusted; 4 a machine or a process failed; 130 the
run was interrupted, and its results are kept"""


def main(arguments: list[str] | None = None) -> None:
    """Run one verb and exit with its code; a user's mistake is one sentence, never a traceback."""
    command.outlive_readers()

    def carry_out() -> int:
        options = parse(sys.argv[1:] if arguments is None else arguments)
        if not options.waits_for or "--ask-vault-pass" in getattr(options, "vault", ()):
            return _carried_out(options)
        with waiting_for(options.waits_for, _say):
            return _carried_out(options)

    try:
        code = command.ending(carry_out, "loadgen")
    except KeyboardInterrupt:
        print("loadgen: ended by the user", file=sys.stderr)
        code = exit_codes.INTERRUPTED
    sys.exit(code)


def _carried_out(options: argparse.Namespace) -> int:
    code: int = options.carry_out(options)
    return code


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Read the command line; without a word of it print the help and exit.

    UsageError: a verb or an option that isn't there, or a wrong value.
    """
    parser, verbs = make_parser()
    if "_ARGCOMPLETE" in os.environ:
        # The shell asks for words; nobody else has to wait for the import.
        import argcomplete  # noqa: PLC0415

        argcomplete.autocomplete(parser)
    if not arguments:
        parser.print_help()
        sys.exit(exit_codes.USAGE)
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
