"""Verbs on a fleet beside running: what can be typed."""

from typing import TYPE_CHECKING

from loadgen.cli.options.inventory import add_inventory
from loadgen.cli.options.results_directory import add_results
from loadgen.cli.verb import Late, Verb, VerbParser, whole_number

if TYPE_CHECKING:
    from loadgen.cli import fleet
else:
    fleet = Late("loadgen.cli.fleet")


def _add_options(verb: VerbParser) -> None:
    add_inventory(verb, "the fleet's inventory", required=True)


def _add_stop_options(verb: VerbParser) -> None:
    _add_options(verb)
    add_results(verb)


def _add_logs_options(verb: VerbParser) -> None:
    _add_stop_options(verb)
    verb.add_argument(
        "--host-limit", help="print the journals of only these hosts, separated by commas"
    )
    verb.add_argument(
        "--lines",
        type=whole_number(1),
        default=200,
        help="how many of the newest lines to print for each systemd unit (default: 200)",
    )


def _add_drain_options(verb: VerbParser) -> None:
    _add_options(verb)
    verb.add_argument(
        "--host-limit",
        required=True,
        help="the worker hosts to take out of the run, separated by commas",
    )


VERBS = {
    "status": Verb(
        _add_options,
        fleet.status,
        ("loadgen status --inventory inventory/mine",),
        waits_for="the hosts to answer",
    ),
    "stop": Verb(
        _add_stop_options,
        fleet.stop,
        ("loadgen stop --inventory inventory/mine",),
        waits_for="the hosts to answer",
    ),
    "logs": Verb(
        _add_logs_options,
        fleet.logs,
        ("loadgen logs --inventory inventory/mine --host-limit worker1 --lines 50",),
        waits_for="the hosts to answer",
    ),
    "drain": Verb(
        _add_drain_options,
        fleet.drain,
        ("loadgen drain --inventory inventory/mine --host-limit worker2,worker3",),
        waits_for="the hosts to answer",
    ),
}
