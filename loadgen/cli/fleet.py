"""Verbs on a fleet beside running: what it does now, its journals, ending a run, letting one go."""

import argparse
import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from loadgen.fleet import fleet_lock
from loadgen.fleet.cluster import FleetCluster
from loadgen.fleet.collecting import collect_node
from loadgen.fleet.connections.ssh import Outcomes, Remote, ask_all, on_all
from loadgen.fleet.inventory import Inventory, Node, limit, load_inventory
from loadgen.fleet.requests import Abort, AgentRequest, Collect, Drain, NodeReport, Status, Stop
from loadgen.results.kept import kept_fields
from loadgen.runs.progress import Progress
from loadgen.runs.run import Run
from loadgen.shared import exit_codes
from loadgen.shared.command import as_typed
from loadgen.shared.errors import BusyError, NodeError, OperationError, UsageError
from loadgen.shared.files import hold
from loadgen.shared.interruption import Interruption
from loadgen.shared.snapshot import UNDER_WAY
from loadgen.shared.text import (
    SETTINGS_VALUES_MAX,
    in_url,
    indented,
    plain_line,
    require_few_values,
)
from loadgen.specification.plan import RunPlan
from loadgen.specification.run import RunSpecification

Found = TypeVar("Found")
LINE_CHARACTERS_MAX = 1 << 16
STOP_TIMEOUT_MAX = 60.0
NEWLINE = "\n"


def status(options: argparse.Namespace) -> int:
    """Carry out `loadgen status`: a line a node; exit 4 when one can't be asked or is not well."""
    inventory = load_inventory(options.inventory, options.vault)
    found = status_of(inventory)
    for node in inventory.nodes:
        fault = found.faults.get(node.name)
        said = (
            as_typed(indented(fault)) if fault else plain_line(describe(found.answers[node.name]))
        )
        print(f"{node.name:<12} {said}")
    master = found.answers.get(inventory.master.name)
    if master:
        print(plain_line(describe_run(master, inventory)))
    well = all(state == "active" for one in found.answers.values() for state in one.units.values())
    return exit_codes.PASSED if well and not found.faults else exit_codes.ERROR


def status_of(inventory: Inventory) -> Outcomes[NodeReport]:
    """Ask every node of a fleet what it does; answers and faults by the node's name."""
    return _ask_all(inventory.nodes, Status())


def describe(report: NodeReport) -> str:
    """One line for one node that answers."""
    active = sum(state == "active" for state in report.units.values())
    kind = "master" if report.is_master else "worker"
    wrong = [f"{name} is {state}" for name, state in report.units.items() if state != "active"]
    words = f"{kind}, {active} of {len(report.units)} units active, release {report.release[:12]}"
    return ", ".join([words, *wrong])


def describe_run(master: NodeReport, inventory: Inventory) -> str:
    """One line for what the fleet does."""
    web = f"web UI https://{in_url(inventory.master.fleet_address)}:{master.web_port}"
    if master.run_id:
        return f"run {master.run_id} is under way ({master.state}); {web}"
    if master.state in UNDER_WAY:
        return f"a test started from the web UI is under way ({master.state}); {web}"
    return f"no run is under way; {web}"


def logs(options: argparse.Namespace) -> int:
    """Carry out `loadgen logs`: the newest journal lines of every node's units."""
    inventory = load_inventory(options.inventory, options.vault)
    nodes = limit(inventory.nodes, options.host_limit) if options.host_limit else inventory.nodes
    directory = options.results / time.strftime("logs-%Y%m%dT%H%M%SZ", time.gmtime())
    request = Collect(lines=options.lines)

    def collect(remote: Remote) -> None:
        collect_node(remote, directory, request)

    found = _on_nodes(nodes, lambda remotes: on_all(remotes, collect))
    for path in sorted(directory.glob("hosts/*/*.log")):
        with path.open(errors="replace") as file:
            # A host may answer with a line that never ends, so its length is limited.
            while line := file.readline(LINE_CHARACTERS_MAX):
                print(plain_line(f"{path.parent.name} {path.stem}: {line.rstrip(NEWLINE)}"))
    print(f"These lines are also in {os.path.relpath(directory)}", file=sys.stderr)
    _require("the journals of some hosts could not be read", found.faults)
    return 0


def stop(options: argparse.Namespace) -> int:
    """Carry out `loadgen stop`: end the run under way; collect it unless its own process does."""
    inventory = load_inventory(options.inventory, options.vault)
    master = _ask_all([inventory.master], Status())
    _require("the master can't be asked", master.faults)
    report = master.answers[inventory.master.name]
    if not report.run_id and report.state not in UNDER_WAY:
        return _clear(inventory, report)
    try:
        lock = fleet_lock.take(inventory.path)
    except BusyError:
        _require("the master can't be asked", _ask_all([inventory.master], Stop()).faults)
        print(
            f"run {report.run_id} was asked to stop; the process that started it collects "
            f"its results"
        )
        return 0
    try:
        results = options.results.absolute()
        with hold(results):
            return _end_and_collect(inventory, report, results)
    finally:
        os.close(lock)


def _clear(inventory: Inventory, master: NodeReport) -> int:
    """Say that nothing is under way; a run.json that nobody can read is removed."""
    if master.faults:
        _require("some hosts can't be asked", _ask_all(inventory.nodes, Abort()).faults)
        print(as_typed("\n".join(map(indented, master.faults))), file=sys.stderr)
        print("the data of a run on the hosts could not be read and was removed")
        return exit_codes.PASSED
    print("no run is under way")
    return exit_codes.PASSED


def _end_and_collect(inventory: Inventory, report: NodeReport, results: Path) -> int:
    specification = RunSpecification()
    if report.specification:
        specification = _specification(report.specification)
    cluster = FleetCluster(specification, inventory, running=report.release)
    last = cluster.adopt(report)
    directory = fleet_lock.claim(results, last.run_id, inventory.path)
    # Without a run time it was the default's, or a load shape's: nobody can tell from here.
    has_shape = "run_time" not in specification.model_fields_set
    plan = RunPlan(last.run_id, specification, last.host, has_shape, directory)
    cluster.hold(plan)
    versions = {"locust": version("locust"), "release": report.release}
    interruption = Interruption()
    with interruption.listen():
        progress = Progress(specification.run_time)
        summary = Run(plan, cluster, interruption, progress, versions).take_over(
            bool(report.specification), _patience(specification, directory)
        )
    print(
        f"{last.run_id} was stopped, and its results were collected: {summary.requests:,} requests"
    )
    print(as_typed("".join(f"  {indented(reason)}\n" for reason in summary.reasons)), end="")
    print(f"  report: {os.path.relpath(directory)}/report.html")
    return exit_codes.ERROR if summary.verdict == "error" else exit_codes.PASSED


def _patience(said: RunSpecification, directory: Path) -> float:
    """Return how long requests under way may take to finish, in seconds.

    The master says it, and could hold this up for an hour: what the run was given here decides,
    or a minute where it was started elsewhere.
    """
    most = STOP_TIMEOUT_MAX
    with contextlib.suppress(UsageError, ValidationError):
        own = kept_fields(directory).get("stop_timeout", RunSpecification().stop_timeout)
        most = RunSpecification.model_validate({"stop_timeout": own}).stop_timeout
    if said.stop_timeout > most:
        print(
            f"the master allows requests {said.stop_timeout:g} s to finish, but this command waits "
            f"only {most:g} s for them",
            file=sys.stderr,
        )
    return min(said.stop_timeout, most)


def _specification(kept: str) -> RunSpecification:
    """Read what the master kept of a run; it is judged by it, and nothing is opened for it."""
    try:
        return RunSpecification.model_validate_json(require_few_values(kept, SETTINGS_VALUES_MAX))
    except ValueError as error:
        raise OperationError(
            "the run on the master was started by another release of loadgen, whose "
            "data this release can't read: end the run with that release, or with "
            "loadgen teardown"
        ) from error


def drain(options: argparse.Namespace) -> int:
    """Carry out `loadgen drain`: let workers go; their last statistics reach the master first."""
    inventory = load_inventory(options.inventory, options.vault)
    nodes = limit(inventory.workers, options.host_limit or "")
    rest = [node.name for node in inventory.workers if node not in nodes]
    if not rest:
        raise UsageError(
            f"--host-limit {options.host_limit} names every worker host, but a run needs "
            f"at least one; to end the run, use loadgen stop --inventory {options.inventory}"
        )
    master = _ask_all([inventory.master], Status())
    _require("the master can't be asked", master.faults)
    report = master.answers[inventory.master.name]
    if not report.run_id and report.state not in UNDER_WAY:
        print("no run is under way: there is nothing to drain, and nothing was changed")
        return 0
    found = _ask_all(nodes, Drain())
    for name, report in found.answers.items():
        print(f"{name}: {report.workers} worker processes ended")
    _require("some worker hosts could not be drained", found.faults)
    said = (
        f"{', '.join(rest)} keep{'s' if len(rest) == 1 else ''} running. The next run uses every "
        f"host of the inventory again: to leave {', '.join(found.answers)} out, remove "
        f"{'it' if len(found.answers) == 1 else 'them'} from the inventory or run "
        "loadgen teardown-workers"
    )
    print(as_typed(said))
    return 0


def _ask_all(nodes: Iterable[Node], request: AgentRequest) -> Outcomes[NodeReport]:
    return _on_nodes(nodes, lambda remotes: ask_all(remotes, request))


def _on_nodes(
    nodes: Iterable[Node], action: Callable[[Mapping[str, Remote]], Outcomes[Found]]
) -> Outcomes[Found]:
    remotes = {node.name: Remote(node) for node in nodes}
    try:
        return action(remotes)
    finally:
        for remote in remotes.values():
            remote.close()


def _require(summary: str, faults: Mapping[str, str]) -> None:
    if faults:
        raise NodeError(summary, faults)
