"""What `loadgen` asks of one node of a fleet, carried out there as root, over SSH.

    python -m loadgen.fleet.agent VERB < request.json

The verbs and what each needs are the models of `loadgen.fleet.requests`. A request is one JSON
object, in one line of standard input, so that nothing secret is on a command line; for `take` a
tar follows it. The answer is one JSON object on standard output, or a tar (`collect`, `give`). A
fault is one sentence on standard error.
"""

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from loadgen.deploy.release import verify
from loadgen.fleet import agent_checks, agent_run, agent_scenarios
from loadgen.fleet import agent_files as files
from loadgen.fleet.agent_files import RUNS
from loadgen.fleet.agent_report import report
from loadgen.fleet.agent_units import Units, systemctl
from loadgen.fleet.requests import (
    Abort,
    AgentRequest,
    AskTarget,
    Collect,
    Drain,
    Finish,
    Forget,
    Give,
    Keep,
    NodeReport,
    Preflight,
    Prepare,
    Settle,
    Start,
    Status,
    Stop,
    Take,
)
from loadgen.node.settings import NodeSettings, load_node_settings
from loadgen.node.target_check import require_answer
from loadgen.shared.errors import LoadgenError, OperationError
from loadgen.shared.machine import this_machine
from loadgen.shared.run_ids import run_directory

JOURNAL_BYTES_MAX = 64 << 20
SETTINGS = Path("/etc/loadgen/node.json")


def preflight(node: NodeSettings, request: Preflight) -> NodeReport:
    """Describe this node and name every reason against a run on it."""
    units = Units.now()
    found = report(node, units)
    try:
        verify(node.release_directory)
    except OperationError as error:
        found.faults.append(str(error))
    if units.master:
        found.faults += agent_checks.master_faults(node, units.master.state)
    if units.workers:
        found.faults += agent_checks.capacity_faults(request.users, units.workers)
        found.faults += agent_checks.channel_faults(node)
    found.has_scenario = agent_scenarios.has_scenario(request.scenario)
    found.packages = agent_scenarios.list_packages()
    found.machine = this_machine(node.name)
    return found


def take(node: NodeSettings, request: Take) -> NodeReport:
    """Take in a scenario or its packages, from standard input."""
    agent_scenarios.take(node, request, sys.stdin.buffer)
    return report(node)


def give(node: NodeSettings, request: Give) -> None:
    """Write what another host is to take in, to standard output."""
    del node
    agent_scenarios.give(request, sys.stdout.buffer)


def ask_target(node: NodeSettings, request: AskTarget) -> NodeReport:
    """Ask the target from this node; OperationError when it doesn't answer."""
    require_answer(request.host, verify=request.verify)
    return report(node)


def status(node: NodeSettings, request: Status) -> NodeReport:
    """Describe this node as it is."""
    del request
    return report(node)


def collect(node: NodeSettings, request: Collect) -> None:
    """Write one tar: `hosts/<unit>.log` for each unit, and on a master its run's files.

    Then processes that a run had no use for are started again.
    """
    units = Units.now()
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|gz") as packed:
        for name in units:
            text = _journal(name, request)
            if text:
                files.add(packed, f"logs/{name.removesuffix('.service')}.log", text)
        if request.run_id:
            scrape = (
                files.last_scrape(node.state_directory, request.run_id) if units.master else b""
            )
            if scrape:
                files.add(packed, "results/metrics.prom", scrape)
            files.add_results(packed, run_directory(RUNS, request.run_id))
    if request.run_id:
        systemctl("start", *units.load)


def _journal(name: str, request: Collect) -> bytes:
    command = ["journalctl", "--unit", name, "--output=short-iso", "--no-pager", "--quiet"]
    if request.since:
        command.append(f"--since=@{request.since:.0f}")
    if request.lines is not None:
        command.append(f"--lines={request.lines}")
    with tempfile.TemporaryFile() as journal:
        subprocess.run(command, stdout=journal, stderr=subprocess.DEVNULL, check=False)
        left_out = journal.seek(0, os.SEEK_END) - JOURNAL_BYTES_MAX
        journal.seek(max(0, left_out))
        newest = journal.read()
    return newest.partition(b"\n")[2] if left_out > 0 else newest


def forget(node: NodeSettings, request: Forget) -> NodeReport:
    """Remove what this node kept of a run until it was collected."""
    files.remove(request.run_id)
    return report(node)


def keep(node: NodeSettings, request: Keep) -> NodeReport:
    """Keep a run's verdict for this node's exporter."""
    files.keep_figures(request.run_id, request.figures)
    return report(node)


Handler = Callable[[NodeSettings, Any], NodeReport | None]
HANDLERS: dict[type[AgentRequest], Handler] = {
    Preflight: preflight,
    Take: take,
    Give: give,
    AskTarget: ask_target,
    Prepare: agent_run.prepare,
    Start: agent_run.start,
    Finish: agent_run.finish,
    Settle: agent_run.settle,
    Abort: agent_run.abort,
    Collect: collect,
    Forget: forget,
    Keep: keep,
    Status: status,
    Drain: agent_run.drain,
    Stop: agent_run.tell_master,
}


def main(arguments: list[str] | None = None) -> int:
    """Run one verb."""
    verbs = {kind.verb: kind for kind in HANDLERS}
    told = [f"{name:10} {(kind.__doc__ or '').splitlines()[0]}" for name, kind in verbs.items()]
    parser = argparse.ArgumentParser(
        prog="python -m loadgen.fleet.agent",
        description="\n".join([str(__doc__), *told]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", choices=verbs)
    kind = verbs[parser.parse_args(arguments).verb]
    try:
        request = kind.model_validate_json(sys.stdin.buffer.readline() or "{}")
        answer = HANDLERS[kind](load_node_settings(SETTINGS), request)
    except ValidationError as error:
        print(f"the request '{kind.verb}' is not of this release: {error}", file=sys.stderr)
        return OperationError.exit_code
    except LoadgenError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except OSError as error:
        # As when the runs' user has put something in the way.
        print(
            f"{error.filename or kind.verb}: {error.strerror or error}; look there", file=sys.stderr
        )
        return OperationError.exit_code
    if answer is not None:
        print(answer.model_dump_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
