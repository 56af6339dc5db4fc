"""`loadgen` with a timeline: what a run does before its first load, on standard error.

python -m tests.lab.timed_run run --inventory inventory/lab …
"""

import functools
import shlex
import sys
import time
from collections.abc import Callable
from typing import Any

from loadgen.cli.main import main
from loadgen.fleet import cluster, inventory
from loadgen.fleet.connections import openssh, ssh

BEGAN = time.monotonic()
PHASES = ("accept", "inspect", "preflight", "require_target", "bring", "start", "finish")


def say(what: str, began: float) -> None:
    now = time.monotonic()
    print(f"{began - BEGAN:7.2f} to {now - BEGAN:7.2f} s  {what}", file=sys.stderr, flush=True)


def timed(owner: Any, name: str, describe: Callable[..., str]) -> None:
    """Have one function say when it ran."""
    function = getattr(owner, name)

    @functools.wraps(function)
    def wrapper(*arguments: Any, **named: Any) -> Any:
        began = time.monotonic()
        try:
            return function(*arguments, **named)
        finally:
            say(describe(*arguments, **named), began)

    setattr(owner, name, wrapper)


def verb_of(line: bytes) -> str:
    return line.partition(b" ")[0].decode()


def instrument() -> None:
    """Time the phases, the connections and each command on each host."""
    for phase in PHASES:
        timed(cluster.FleetCluster, phase, lambda *_, phase=phase, **__: phase.upper())
    timed(inventory, "_list", lambda *_, **__: "ansible resolves the inventory")
    timed(openssh.Connection, "_log_in", lambda one, _: f"  {one.node.name}: log in")
    timed(ssh.Remote, "ask", lambda one, line, *_, **__: f"  {one.node.name}: {verb_of(line)}")
    timed(
        ssh.Remote,
        "run",
        lambda one, words, *_, **__: f"  {one.node.name}: {shlex.join(words)[-34:]}",
    )


if __name__ == "__main__":
    say("imports", BEGAN)
    instrument()
    main()
