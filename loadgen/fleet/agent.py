"""What `loadgen` asks of one node of a fleet, carried out there as root, over SSH.

    python -m loadgen.fleet.agent VERB < request.json

    preflight   tell what this node is, and every reason why it can't take part in a run
    target      ask the target for an answer, from here
    prepare     stop the processes and write run.json
    start       start the processes of the run
    finish      take run.json away, let a master write its reports, start idle processes
    settle      end the worker processes of a run that is over, start idle ones
    abort       finish at once, without reports
    collect     write journals and results to standard output, one tar
    status      tell what runs here
    stop        ask the master to stop the load gracefully
    reset       ask the master to forget its statistics so far
    forget      remove a run's results, which have been collected
    drain       stop this node's workers gracefully; their last statistics go out first

A request is one JSON object on standard input, so that nothing secret is on a command line; the
answer is one JSON object on standard output. A fault is one sentence on standard error.
"""

import argparse
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from pydantic import BaseModel, ValidationError

from loadgen.deploy.release import verify
from loadgen.fleet import agent_checks
from loadgen.fleet import agent_files as files
from loadgen.fleet.agent_files import COLLECTOR_FILE, RUNS, SPECIFICATION_FILE
from loadgen.fleet.agent_units import (
    EXPORTER_UNIT,
    MASTER_UNIT,
    main_process,
    still_there,
    systemctl,
    units,
    worker_units,
)
from loadgen.node import control
from loadgen.node.settings import RUN_FILE, NodeSettings, RunSettings, load_node_settings
from loadgen.node.target_check import require_answer
from loadgen.shared.errors import BusyError, LoadgenError, OperationError

SETTINGS = Path("/etc/loadgen/node.json")
QUIT_SECONDS = 20.0


class Request(BaseModel):
    """What a verb needs; each reads its own fields.

    `workers` None means every worker process of the node. `specification` is kept beside a run's
    results so that another process can end and judge it, and `collected_into`, a directory of the
    controller, so that it knows whether the run's own process still does. `since` is Unix seconds.
    `processes` are ids by unit.
    """

    run: RunSettings | None = None
    specification: str = ""
    collected_into: Path | None = None
    workers: int | None = None
    users: int = 0
    run_id: str = ""
    since: float = 0.0
    lines: int | None = None
    host: str | None = None
    verify_target: bool = True
    processes: dict[str, int] = {}


class NodeReport(BaseModel):
    """What a node is. `units` maps its systemd units to their state; `faults` are sentences.

    `processes` are the ids of those that took part in a run, by unit, after `finish` alone.
    """

    name: str
    is_master: bool
    release: str
    locust_version: str
    units: dict[str, str]
    run_id: str | None
    state: str | None = None
    specification: str | None = None
    collected_into: Path | None = None
    started_at: float | None = None
    certificate: str | None = None
    web_port: int = 8089
    faults: list[str] = []
    processes: dict[str, int] = {}

    @property
    def workers(self) -> int:
        """How many worker processes this node has, running or not."""
        return sum(name.startswith("loadgen-worker@") for name in self.units)


def report(node: NodeSettings) -> NodeReport:
    """Describe this node as it is."""
    found = units()
    run = _run(node)
    is_master = MASTER_UNIT in found
    kept = RUNS / run.run_id if run else None
    return NodeReport(
        name=node.name,
        is_master=is_master,
        release=node.release_directory.resolve().name,
        locust_version=version("locust"),
        units=found,
        run_id=run.run_id if run else None,
        state=_state(node) if is_master and found[MASTER_UNIT] == "active" else None,
        specification=files.read_kept(kept / SPECIFICATION_FILE) if kept else None,
        collected_into=files.read_kept(kept / COLLECTOR_FILE) if kept else None,
        started_at=(node.state_directory / RUN_FILE).stat().st_mtime if run else None,
        certificate=_certificate(node),
        web_port=node.web.port,
    )


def _run(node: NodeSettings) -> RunSettings | None:
    path = node.state_directory / RUN_FILE
    try:
        with files.as_owner():
            text = path.read_text()
        return RunSettings.model_validate_json(text)
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise OperationError(
            f"{path} is not of this release; remove it, or run make stop"
        ) from error


def _state(node: NodeSettings) -> str:
    try:
        return control.request(node.control_endpoint, "status").get("state", "unknown")
    except TimeoutError:
        return "silent"


def _certificate(node: NodeSettings) -> str | None:
    path = node.web.tls_certificate
    return path.read_text() if path and path.exists() else None


def preflight(node: NodeSettings, request: Request) -> NodeReport:
    """Describe this node and name every reason against a run on it."""
    found = report(node)
    faults = found.faults
    try:
        verify(node.release_directory)
    except OperationError as error:
        faults.append(str(error))
    if found.is_master:
        faults += agent_checks.master_faults(node, found.units[MASTER_UNIT])
    if found.workers:
        faults += agent_checks.capacity_faults(request.users, found.workers, worker_units()[0])
        faults += agent_checks.channel_faults(node)
    return found


def target(node: NodeSettings, request: Request) -> NodeReport:
    """Ask the target from this node; OperationError when it doesn't answer."""
    if request.host:
        require_answer(request.host, verify=request.verify_target)
    return report(node)


def prepare(node: NodeSettings, request: Request) -> NodeReport:
    """Stop the node's processes and write run.json.

    The master's run.json is the fleet's lock: BusyError when another run holds it. What a worker
    has from a run that was cut off is replaced.
    """
    if request.run is None:
        raise OperationError("prepare needs a run")
    path = node.state_directory / RUN_FILE
    if MASTER_UNIT not in units():
        path.unlink(missing_ok=True)
    try:
        with files.as_owner():
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        under_way = _run(node)
        raise BusyError(
            f"run {under_way.run_id if under_way else '?'} is under way there; wait for it, or end "
            "it with make stop"
        ) from error
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(request.run.model_dump_json())
        if request.run.results_directory:
            files.make_results(
                request.run.results_directory, request.specification, request.collected_into
            )
        systemctl("stop", *_load_units())
    except BaseException:
        # As after a full disk: the lock of a run that never began would hold the fleet.
        path.unlink(missing_ok=True)
        raise
    return report(node)


def _load_units() -> list[str]:
    return [name for name in units() if name != EXPORTER_UNIT]


def start(node: NodeSettings, request: Request) -> NodeReport:
    """Start the master, and as many workers as the run wants here."""
    names = _load_units()
    workers = [name for name in names if name != MASTER_UNIT]
    wanted = [name for name in names if name == MASTER_UNIT] + workers[: request.workers]
    if wanted:
        systemctl("reset-failed", *wanted, check=False)
        systemctl("start", *wanted)
    return report(node)


def finish(node: NodeSettings, request: Request) -> NodeReport:
    """End a run here. A worker host only forgets it: `settle` ends its processes."""
    (node.state_directory / RUN_FILE).unlink(missing_ok=True)
    faults = [
        f"{name} ended by itself {times} times and was started again"
        for name in _load_units()
        if (times := int(systemctl("show", "--property=NRestarts", "--value", name) or 0))
    ]
    found = report(node)
    found.processes = {unit: process for unit in worker_units() if (process := main_process(unit))}
    if found.is_master and found.units[MASTER_UNIT] == "active":
        faults += _quit_master(node)
    found.faults = faults
    del request
    return found


def settle(node: NodeSettings, request: Request) -> NodeReport:
    """End the worker processes of a run that is over, and start idle ones.

    The master tells only those that it knows: not one that has just stopped, and when the master
    has died, nobody, so that they would load the target for another minute.
    """
    left = still_there(request.processes, 0.0)
    if left:
        systemctl("kill", "--signal=TERM", *left, check=False)
    stuck = still_there(left, QUIT_SECONDS)
    if stuck:
        systemctl("kill", "--signal=KILL", *stuck, check=False)
        still_there(stuck, QUIT_SECONDS)
    if request.processes:
        systemctl("start", *request.processes)
    found = report(node)
    found.faults += [f"{name} did not end when asked and was killed" for name in stuck]
    return found


def _quit_master(node: NodeSettings) -> list[str]:
    """Let the master write its reports and end; systemd starts an idle one."""
    process = main_process(MASTER_UNIT)
    deadline = time.monotonic() + QUIT_SECONDS
    try:
        control.request(node.control_endpoint, "quit")
        while Path(f"/proc/{process}").exists():
            if time.monotonic() > deadline:
                systemctl("kill", "--signal=KILL", MASTER_UNIT)
                return [f"did not quit within {QUIT_SECONDS:.0f} s and was killed"]
            time.sleep(0.1)
    except TimeoutError as error:
        systemctl("kill", "--signal=KILL", MASTER_UNIT)
        return [str(error)]
    return []


def abort(node: NodeSettings, request: Request) -> NodeReport:
    """End a run at once: kill its processes; systemd starts idle ones."""
    del request
    (node.state_directory / RUN_FILE).unlink(missing_ok=True)
    for name in _load_units():
        systemctl("kill", "--signal=KILL", name, check=False)
    systemctl("start", *_load_units())
    return report(node)


def drain(node: NodeSettings, request: Request) -> NodeReport:
    """Stop this node's workers; each sends its last statistics before it ends."""
    del request
    systemctl("stop", *worker_units())
    (node.state_directory / RUN_FILE).unlink(missing_ok=True)
    return report(node)


def status(node: NodeSettings, request: Request) -> NodeReport:
    """Describe this node as it is."""
    del request
    return report(node)


def stop(node: NodeSettings, request: Request) -> NodeReport:
    """Ask the master to stop the load."""
    return _control(node, "stop", request)


def reset(node: NodeSettings, request: Request) -> NodeReport:
    """Ask the master to forget its statistics."""
    return _control(node, "reset", request)


def _control(node: NodeSettings, command: str, request: Request) -> NodeReport:
    del request
    try:
        control.request(node.control_endpoint, command)
    except TimeoutError as error:
        raise OperationError(str(error)) from error
    return report(node)


def collect(node: NodeSettings, request: Request) -> None:
    """Write one tar: `hosts/<unit>.log` for each unit, and on a master its run's files.

    Then processes that a run had no use for are started again.
    """
    names = units()
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|gz") as packed:
        for name in names:
            text = _journal(name, request)
            if text:
                files.add(packed, f"logs/{name.removesuffix('.service')}.log", text)
        if request.run_id and MASTER_UNIT in names:
            scrape = files.last_scrape(node.state_directory, request.run_id)
            if scrape:
                files.add(packed, "results/metrics.prom", scrape)
        if request.run_id:
            files.add_results(packed, RUNS / request.run_id)
    if request.run_id:
        systemctl("start", *_load_units())


def forget(node: NodeSettings, request: Request) -> NodeReport:
    """Remove what this node kept of a run until it was collected."""
    if request.run_id:
        files.remove(request.run_id)
    return report(node)


def _journal(name: str, request: Request) -> bytes:
    command = ["journalctl", "--unit", name, "--output=short-iso", "--no-pager", "--quiet"]
    if request.since:
        command.append(f"--since=@{request.since:.0f}")
    if request.lines is not None:
        command.append(f"--lines={request.lines}")
    return subprocess.run(command, capture_output=True, check=False).stdout


VERBS: dict[str, Callable[[NodeSettings, Request], NodeReport | None]] = {
    "preflight": preflight,
    "target": target,
    "prepare": prepare,
    "start": start,
    "finish": finish,
    "settle": settle,
    "abort": abort,
    "collect": collect,
    "forget": forget,
    "status": status,
    "drain": drain,
    "stop": stop,
    "reset": reset,
}


def main(arguments: list[str] | None = None) -> int:
    """Run one verb."""
    parser = argparse.ArgumentParser(
        prog="python -m loadgen.fleet.agent",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("verb", choices=VERBS)
    given = parser.parse_args(arguments)
    try:
        request = Request.model_validate(json.loads(sys.stdin.read() or "{}"))
        answer = VERBS[given.verb](load_node_settings(SETTINGS), request)
    except LoadgenError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    if answer is not None:
        print(answer.model_dump_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
