"""What `loadgen` asks of one node of a fleet, carried out there as root, over SSH.

    python -m loadgen.fleet.agent serve
    python -m loadgen.fleet.agent collect < request.json

The verbs and what each needs are the models of `loadgen.fleet.requests`. An agent that serves
answers one request after another, a line each, until its input ends; what answers with a tar
(`collect`, `give`) is a process of its own. Requests come by standard input, so that nothing secret
is on a command line.
"""

import argparse
import gzip
import os
import subprocess
import sys
import tarfile
import traceback
from collections.abc import Callable
from typing import IO, Any

from pydantic import ValidationError

from loadgen.deploy.release import verify
from loadgen.fleet import agent_checks, agent_run, agent_scenarios
from loadgen.fleet import agent_files as files
from loadgen.fleet.agent_files import RUNS
from loadgen.fleet.agent_report import report
from loadgen.fleet.agent_units import Units, systemctl
from loadgen.fleet.requests import (
    Abort,
    AgentAnswer,
    AgentRequest,
    AskTarget,
    Collect,
    Drain,
    Finish,
    Following,
    Forget,
    Give,
    Halt,
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
from loadgen.node.settings import SETTINGS, NodeSettings, load_node_settings
from loadgen.node.target_check import require_answer
from loadgen.shared.errors import LoadgenError, OperationError
from loadgen.shared.machine import this_machine
from loadgen.shared.run_ids import run_directory

CHUNK_BYTES = 1 << 18
JOURNAL_BYTES_MAX, JOURNAL_LINES_MAX = 64 << 20, 1_000_000
"""The newest so much of each unit's journal is collected: a locustfile may write without end."""


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
    # A request log is packed for the way only. Level 1 takes 0.1 µs a row, tarfile's own 9 takes 7.
    with (
        gzip.open(sys.stdout.buffer, "wb", compresslevel=1) as stream,
        tarfile.open(fileobj=stream, mode="w|") as packed,
    ):
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
    lines = JOURNAL_LINES_MAX if request.lines is None else request.lines
    command.append(f"--lines={lines}")
    newest, is_cut = bytearray(), False
    ignored: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, stdout=subprocess.PIPE, **ignored) as journal:
        while journal.stdout and (chunk := journal.stdout.read(CHUNK_BYTES)):
            newest += chunk
            left_out = len(newest) - JOURNAL_BYTES_MAX
            is_cut = is_cut or left_out > 0
            del newest[: max(0, left_out)]
    return bytes(newest.partition(b"\n")[2] if is_cut else newest)


def forget(node: NodeSettings, request: Forget) -> NodeReport:
    """Remove what this node kept of a run until it was collected."""
    files.remove(request.run_id)
    return report(node)


def keep(node: NodeSettings, request: Keep) -> NodeReport:
    """Keep a run's verdict for this node's exporter."""
    files.keep_figures(request.run_id, request.figures)
    return report(node)


Handler = Callable[[NodeSettings, Any], NodeReport]
HANDLERS: dict[type[AgentRequest], Handler] = {
    Preflight: preflight,
    AskTarget: ask_target,
    Prepare: agent_run.prepare,
    Halt: agent_run.halt,
    Start: agent_run.start,
    Finish: agent_run.finish,
    Settle: agent_run.settle,
    Abort: agent_run.abort,
    Forget: forget,
    Keep: keep,
    Status: status,
    Drain: agent_run.drain,
    Stop: agent_run.tell_master,
}
TARS: dict[type[AgentRequest], Callable[[NodeSettings, Any], None]] = {
    Collect: collect,
    Give: give,
}
SERVED: tuple[type[AgentRequest], ...] = (*HANDLERS, Take)
VERBS = {kind.verb: kind for kind in SERVED}


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until there are no more."""
    while line := requests.readline():
        verb, _, content = line.partition(b" ")
        said = _answered(verb.decode(errors="replace"), content, requests)
        answers.write(said.model_dump_json().encode() + b"\n")
        answers.flush()
        if said.report is None and verb == Take.verb.encode():
            # The rest of its content is not a request.
            return


def _answered(verb: str, content: bytes, requests: IO[bytes]) -> AgentAnswer:
    """Carry out one request; a fault is one sentence."""
    try:
        kind = VERBS[verb]
        request, node = kind.model_validate_json(content), load_node_settings(SETTINGS)
        if isinstance(request, Take):
            return AgentAnswer(report=_take(node, request, requests))
        return AgentAnswer(report=HANDLERS[kind](node, request))
    except (KeyError, ValidationError) as error:
        fault = f"the request '{verb}' is not from this release of loadgen: {_in_one_line(error)}"
        return AgentAnswer(fault=fault)
    except LoadgenError as error:
        return AgentAnswer(fault=str(error))
    except OSError as error:
        return AgentAnswer(fault=_in_the_way(error, verb))
    except Exception as error:
        # One request that fails must leave an agent that answers the next, which may be to abort.
        traceback.print_exc()
        return AgentAnswer(fault=f"'{verb}' failed on that host: {_in_one_line(error)}")


def _in_one_line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())


def _take(node: NodeSettings, request: Take, requests: IO[bytes]) -> NodeReport:
    """Take in a scenario or its packages, which follow the request."""
    content = Following(requests)
    agent_scenarios.take(node, request, content)
    while content.read(CHUNK_BYTES):
        pass
    return report(node)


def write_tar(verb: str) -> int:
    """Carry out one verb whose answer is a tar on standard output."""
    kind = next(one for one in TARS if one.verb == verb)
    try:
        request = kind.model_validate_json(sys.stdin.buffer.readline() or "{}")
        TARS[kind](load_node_settings(SETTINGS), request)
    except ValidationError as error:
        print(f"the request '{verb}' is not from this release of loadgen: {error}", file=sys.stderr)
        return OperationError.exit_code
    except LoadgenError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(_in_the_way(error, verb), file=sys.stderr)
        return OperationError.exit_code
    except Exception as error:
        # As for a request that `serve` answers: the other end shows the last line of what is said.
        traceback.print_exc()
        print(f"'{verb}' failed on that host: {_in_one_line(error)}", file=sys.stderr)
        return OperationError.exit_code
    return 0


def _in_the_way(error: OSError, verb: str) -> str:
    """As when the runs' user has put something where a file is looked for."""
    where = (
        "log in to that host and check this file"
        if error.filename
        else "log in to that host and check this directory"
    )
    return f"{error.filename or verb}: {error.strerror or error}; {where}"


def main(arguments: list[str] | None = None) -> int:
    """Serve, or carry out one verb that answers with a tar."""
    told = [f"{name:10} {(kind.__doc__ or '').splitlines()[0]}" for name, kind in VERBS.items()]
    parser = argparse.ArgumentParser(
        prog="python -m loadgen.fleet.agent",
        description="\n".join([str(__doc__), *told]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", choices=["serve", *(kind.verb for kind in TARS)])
    verb = parser.parse_args(arguments).verb
    if verb != "serve":
        return write_tar(verb)
    # What a handler starts must not read requests, nor write where answers go.
    with os.fdopen(os.dup(0), "rb") as requests, os.fdopen(os.dup(1), "wb") as answers:
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.dup2(2, 1)
        serve(requests, answers)
    return 0


if __name__ == "__main__":
    sys.exit(main())
