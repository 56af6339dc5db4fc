"""Verbs on a fleet's desired state: what can be typed."""

import argparse
from collections.abc import Callable

from loadgen.cli.deploy import change, look
from loadgen.cli.options.inventory import add_inventory
from loadgen.cli.verb import Verb, VerbParser


def _add_options(verb: VerbParser) -> None:
    add_inventory(verb, "the fleet's inventory", required=True)


def _add_deploy_options(verb: VerbParser) -> None:
    _add_options(verb)
    verb.add_argument("--locustfile", help=argparse.SUPPRESS)


def _verb(
    name: str,
    carry_out: Callable[[argparse.Namespace], int],
    add_options: Callable[[VerbParser], None] = _add_options,
) -> Verb:
    command = f"loadgen {name} --inventory inventory/mine"
    examples = (command, f"{command} -- --limit localhost,master,worker1")
    return Verb(add_options, carry_out, examples, passes_on="ansible-playbook")


VERBS = {
    "deploy": _verb("deploy", change("deploy"), _add_deploy_options),
    "verify": _verb("verify", look),
    "rotate": _verb("rotate", change("rotate")),
    "teardown": _verb("teardown", change("teardown")),
    "teardown-workers": _verb("teardown-workers", change("teardown-workers")),
}
