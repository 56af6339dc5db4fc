"""One node's part of a run's life: prepare, start, finish, settle; abort and drain.

The master's run.json is the fleet's lock. Between runs a node's processes are idle.
"""

import contextlib

from loadgen.fleet import agent_files as files
from loadgen.fleet import agent_scenarios
from loadgen.fleet.agent_report import ask_master, current_run, report
from loadgen.fleet.agent_units import MASTER_UNIT, Unit, Units, kill, still_there, systemctl
from loadgen.fleet.requests import (
    Abort,
    AgentRequest,
    Drain,
    Finish,
    Halt,
    NodeReport,
    Prepare,
    Settle,
    Start,
)
from loadgen.node.settings import DRAINED_FILE, IDLE_FILE, RUN_FILE, NodeSettings, RunSettings
from loadgen.shared.errors import BusyError, OperationError

QUIT_SECONDS = 20.0


def prepare(node: NodeSettings, request: Prepare) -> NodeReport:
    """Write run.json.

    BusyError when another run holds the master. What a worker has from a run that was cut off is
    replaced.
    """
    path = node.state_directory / RUN_FILE
    units = Units.now()
    if not units.master:
        files.discard(path)
    files.discard(node.state_directory / DRAINED_FILE)
    try:
        _write_run(node, request.run)
        agent_scenarios.use(request.run)
        if request.run.results_directory:
            files.make_results(request.run.results_directory, request.specification)
    except BusyError:
        raise
    except BaseException:
        # For example after a full disk: the lock of a run that never began would block the fleet.
        files.discard(path)
        raise
    return report(node)


def _write_run(node: NodeSettings, run: RunSettings) -> None:
    path = node.state_directory / RUN_FILE
    try:
        files.create(path, run.model_dump_json())
    except FileExistsError as error:
        under_way = current_run(node)
        raise BusyError(
            f"run {under_way.run_id if under_way else '?'} is under way on that host; "
            f"wait for it, or end it with loadgen stop"
        ) from error


def _become_idle(node: NodeSettings) -> None:
    """Take run.json away; what the run brought is what the web UI offers from now on.

    Secrets are gone with the run, and a scenario that may not load without them is not offered.
    A host that was drained is one of the fleet again.
    """
    files.discard(node.state_directory / DRAINED_FILE)
    path, idle = node.state_directory / RUN_FILE, node.state_directory / IDLE_FILE
    if files.changed_at(path) is None:
        return
    run = None
    with contextlib.suppress(OperationError):
        run = current_run(node)
    files.discard(path)
    files.discard(idle)
    if run is not None and run.stays_on_offer:
        nothing = ("results_directory", "request_log", "request_log_directory")
        changes: dict[str, object] = {"master_arguments": (), **dict.fromkeys(nothing)}
        files.create(idle, run.model_copy(update=changes).model_dump_json())


def halt(node: NodeSettings, request: Halt) -> NodeReport:
    """End the idle processes; nothing of theirs is worth the seconds that they take to say so."""
    del request
    names = Units.now().load
    kill("KILL", *names)
    systemctl("stop", *names)
    return report(node)


def start(node: NodeSettings, request: Start) -> NodeReport:
    """Start the master, and as many workers as the run wants here."""
    units = Units.now()
    masters = [units.master] if units.master else []
    wanted = [unit.name for unit in (*masters, *units.workers[: request.workers])]
    if wanted:
        systemctl("reset-failed", *wanted, check=False)
        systemctl("start", *wanted)
    return report(node)


def finish(node: NodeSettings, request: Finish) -> NodeReport:
    """End a run here. A worker host only forgets it: `settle` ends its processes."""
    del request
    _become_idle(node)
    units = Units.now()
    found = report(node, units)
    found.faults += [
        f"{name} ended by itself {units[name].restarts} times and was started again"
        for name in units.load
        if units[name].restarts
    ]
    found.processes = {unit.name: unit.process for unit in units.workers if unit.process}
    if units.master and units.master.state == "active":
        found.faults += _quit_master(node, units.master)
    return found


def _quit_master(node: NodeSettings, master: Unit) -> list[str]:
    """Let the master write its reports and end; systemd starts an idle one."""
    try:
        ask_master(node, "quit")
    except TimeoutError as error:
        kill("KILL", MASTER_UNIT)
        return [str(error)]
    if still_there({MASTER_UNIT: master.process}, QUIT_SECONDS):
        kill("KILL", MASTER_UNIT)
        return [f"did not quit within {QUIT_SECONDS:.0f} s and was killed"]
    return []


def settle(node: NodeSettings, request: Settle) -> NodeReport:
    """End the worker processes of a run that is over, and start idle ones.

    The master tells only those that it knows: not one that has just stopped, and when the master
    has died, nobody, so that they would load the target for another minute.
    """
    left = still_there(request.processes, 0.0)
    kill("TERM", *left)
    stuck = still_there(left, QUIT_SECONDS)
    kill("KILL", *stuck)
    still_there(stuck, QUIT_SECONDS)
    if request.processes:
        systemctl("start", *request.processes)
    found = report(node)
    found.faults += [f"{name} did not end when asked and was killed" for name in stuck]
    return found


def abort(node: NodeSettings, request: Abort) -> NodeReport:
    """End a run at once: kill its processes; systemd starts idle ones."""
    del request
    _become_idle(node)
    names = Units.now().load
    kill("KILL", *names)
    systemctl("start", *names)
    return report(node)


def drain(node: NodeSettings, request: Drain) -> NodeReport:
    """Stop this node's workers; each sends its last statistics before it ends.

    A note stays until the run is over, so that no deploy takes them back into it.
    """
    del request
    note = node.state_directory / DRAINED_FILE
    files.discard(note)
    files.create(note, "")
    systemctl("stop", *(unit.name for unit in Units.now().workers))
    files.discard(node.state_directory / RUN_FILE)
    return report(node)


def tell_master(node: NodeSettings, request: AgentRequest) -> NodeReport:
    """Hand a request to the master: to stop the load, or to forget its statistics."""
    try:
        ask_master(node, request.verb)
    except TimeoutError as error:
        raise OperationError(str(error)) from error
    return report(node)
