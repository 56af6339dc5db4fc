"""The `loadgen` command: what make calls, and what scripts and CI call themselves."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from loadgen.cli import results
from loadgen.cli.run import add_run_options, resume, run
from loadgen.shared.errors import LoadgenError
from loadgen.shared.text import plain

EXAMPLES = """examples:
  loadgen run
  loadgen run --locustfile my/locustfile.py --host https://shop.example --users 200 --run-time 5m
  loadgen run --tags browse --user-classes Visitor --results /srv/results
  loadgen run --users 50 -- --my-locustfile-option 3
  loadgen run --experiment experiments/dspace-100.yml --quiet
  loadgen resume results/20261121T101500Z-capacity-3f9a
  loadgen compare baseline latest

exit codes: 0 passed, 1 an SLO did not hold, 2 usage, 3 invalid measurement, 4 a machine or a
process failed, 130 interrupted (results are kept)"""


FLEET_VERBS = {
    "status": "tell what each host of a fleet is doing",
    "stop": "end the run that is under way on a fleet, and collect it",
    "logs": "print the newest journal lines of every host of a fleet",
    "drain": "take worker hosts out of a run under way, last statistics first",
}


def main(arguments: list[str] | None = None) -> None:
    """Run one verb and exit with its code; a user's mistake is one sentence, never a traceback."""
    options = _parser().parse_args(arguments)
    try:
        code = options.verb(options)
    except LoadgenError as error:
        print(f"loadgen: {plain(str(error))}", file=sys.stderr)
        code = error.exit_code
    sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="loadgen",
        description="Run distributed load tests on Locust, on this machine or a fleet.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    verbs_parser = parser.add_subparsers(required=True, metavar="VERB")
    verb = verbs_parser.add_parser(
        "run",
        help="run a load test and judge it",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_run_options(verb)
    verb.set_defaults(verb=run)
    verb = verbs_parser.add_parser("resume", help="go on with a sweep or search that was ended")
    verb.add_argument("directory", type=Path, help="results/<series>")
    verb.add_argument("--inventory", type=Path, help="go on on this fleet")
    verb.add_argument("--quiet", "-q", action="store_true", help="print verdicts only")
    verb.set_defaults(verb=resume)
    results.add_verbs(verbs_parser)
    for name, text in FLEET_VERBS.items():
        verb = verbs_parser.add_parser(name, help=text)
        add = verb.add_argument
        add("--inventory", type=Path, required=True, help="the fleet's inventory")
        add("--results", type=Path, default=Path("results"), help="where results go (results)")
        add("--host-limit", required=name == "drain", help="logs, drain: these hosts, with commas")
        add("--lines", type=int, default=200, help="logs: the newest lines of each unit (200)")
        verb.set_defaults(verb=_on_fleet, name=name)
    return parser


def _on_fleet(options: argparse.Namespace) -> int:
    # SSH takes a moment to import, and needs a controller's packages.
    from loadgen.cli import fleet  # noqa: PLC0415

    carry_out: Callable[[argparse.Namespace], int] = getattr(fleet, options.name)
    return carry_out(options)
