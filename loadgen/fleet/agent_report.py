"""What one node of a fleet is and does now, as its agent tells it."""

from importlib.metadata import version
from pathlib import Path

from loadgen.cluster.packages import this_platform, this_python
from loadgen.cluster.scenario_files import SHA256
from loadgen.fleet import agent_files as files
from loadgen.fleet.agent_files import RUNS
from loadgen.fleet.agent_units import Units
from loadgen.fleet.requests import UNIX_TIME_MAX, WORD_CHARACTERS_MAX, NodeReport
from loadgen.node import control
from loadgen.node.settings import RUN_FILE, NodeSettings, RunSettings
from loadgen.shared.errors import OperationError
from loadgen.shared.run_ids import SPECIFICATION_FILE, run_directory
from loadgen.shared.text import SETTINGS_VALUES_MAX, require_few_values


def report(node: NodeSettings, units: Units | None = None) -> NodeReport:
    """Describe this node as it is.

    A locustfile may have changed everything in this file; whatever it holds, the host can report
    about the run and end it.
    """
    found = Units.now() if units is None else units
    faults: list[str] = []
    run, specification = None, None
    try:
        run = current_run(node)
        if run and found.master:
            specification = files.read_kept(run_directory(RUNS, run.run_id) / SPECIFICATION_FILE)
    except OperationError as error:
        faults = [str(error)]
    active = found.master is not None and found.master.state == "active"
    return NodeReport(
        name=node.name,
        is_master=found.master is not None,
        release=node.release_directory.resolve().name,
        locust_version=version("locust"),
        units=found.states,
        run_id=run.run_id if run else None,
        scenario=_hash_in(run.scenario_directory) if run else "",
        packages=[*filter(None, [_hash_in(run.packages_directory)])] if run else [],
        state=_master_state(node) if active else None,
        specification=specification,
        started_at=_started_at(node) if run else None,
        certificate=_certificate(node),
        web_port=node.web.port,
        faults=faults,
        python_version=this_python(),
        platform=this_platform(),
    )


def current_run(node: NodeSettings) -> RunSettings | None:
    """Return what run.json says, None when there is none. OperationError: it can't be read."""
    path = node.state_directory / RUN_FILE
    text = files.read_kept(path)
    try:
        if text is None:
            return None
        return RunSettings.model_validate_json(require_few_values(text, SETTINGS_VALUES_MAX))
    except ValueError as error:
        raise OperationError(
            f"{path} was written by another release of loadgen; loadgen stop removes it"
        ) from error


def ask_master(node: NodeSettings, command: str) -> dict[str, str]:
    """Ask the master's process, as the runs' user: a link in its place leads to nothing of root's.

    Raises TimeoutError without an answer.
    """
    with files.as_owner():
        return control.request(node.control_endpoint, command)


def _master_state(node: NodeSettings) -> str:
    try:
        return ask_master(node, "status").get("state", "unknown")[:WORD_CHARACTERS_MAX]
    except TimeoutError:
        return "silent"


def _hash_in(directory: Path | None) -> str:
    """Return the hash that a directory is named after; empty when its name is none."""
    return directory.name if directory and SHA256.match(directory.name) else ""


def _started_at(node: NodeSettings) -> float | None:
    moment = files.changed_at(node.state_directory / RUN_FILE)
    return moment if moment is not None and 0 <= moment <= UNIX_TIME_MAX else None


def _certificate(node: NodeSettings) -> str | None:
    path = node.web.tls_certificate
    return path.read_text() if path and path.exists() else None
