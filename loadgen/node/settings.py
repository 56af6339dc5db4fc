"""What a node is, and what it runs: the two files that `loadgen.node` reads.

A *node settings* file is desired state: Ansible writes it on a fleet, the local cluster in its
private directory. A *run settings* file is running state: `loadgen` puts it into the node's state
directory as `run.json` before they start the processes of a run, and take it away afterwards.
Without one the node is idle, with the scenario of the run before (`idle.json`) or with one of the
kit's own.
"""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from loadgen.shared.errors import UsageError
from loadgen.shared.run_ids import RunId
from loadgen.specification.ports import MASTER_BIND_PORT, WEB_PORT
from loadgen.specification.run import RequestLogSettings
from loadgen.specification.slo import Slo

SETTINGS = Path("/etc/loadgen/node.json")
"""A deployed node's settings."""
SOFTWARE = Path("/opt/loadgen")
"""Where a deployed node has releases, scenarios, packages, and the Python that runs them."""
IDLE_LOCUSTFILE = "loadgen/node/idle_locustfile.py"
Role = Literal["master", "worker"]
RUN_FILE = "run.json"
IDLE_FILE = "idle.json"
DRAINED_FILE = "drained"
"""A worker host was taken out of the run under way, and rests until that is over."""
EXPORTER_OPTIONS = "LOADGEN_EXPORTER_OPTIONS"
PUBLISHER_SOCKET = "publisher.sock"
CONTROL_SOCKET = "control.sock"


def exporter_options(environment: Mapping[str, str]) -> list[str]:
    """Return what LOADGEN_EXPORTER_OPTIONS adds to the exporter's command line.

    UsageError: a quote in it is not closed.
    """
    text = environment.get(EXPORTER_OPTIONS, "")
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(
            f"{EXPORTER_OPTIONS} is {text!r}, in which a quote is not closed: write "
            f"the options as in a shell, or unset the variable"
        ) from error


class _Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


Settings = TypeVar("Settings", bound=_Settings)


class WebSettings(_Settings):
    """Where the master's web UI listens. TLS when both files are given; login when a file is."""

    host: str = "127.0.0.1"
    port: int = Field(default=WEB_PORT, ge=1, le=65535)
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    login_file: Path | None = None
    """JSON `{"users": {name: hash}, "secret_key": hex}`, mode 0600; None: no login."""


class NodeSettings(_Settings):
    """One node: the channel to its master, its keys, and the directory for sockets and run.json.

    `master_host` is the address to bind on a master and to connect to on a worker. Relative
    locustfiles are looked up in `release_directory`.
    """

    name: str
    release_directory: Path
    keys_directory: Path
    state_directory: Path
    master_host: str = "127.0.0.1"
    master_port: int = Field(default=MASTER_BIND_PORT, ge=1, le=65535)
    web: WebSettings = WebSettings()
    locustfile: str = IDLE_LOCUSTFILE
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @property
    def publisher_endpoint(self) -> str:
        """ZeroMQ endpoint on which the master's publisher sends snapshots."""
        return f"ipc://{self.state_directory / PUBLISHER_SOCKET}"

    @property
    def control_endpoint(self) -> str:
        """ZeroMQ endpoint on which the master takes control requests."""
        return f"ipc://{self.state_directory / CONTROL_SOCKET}"


class RunSettings(_Settings):
    """One run, as its nodes see it. `environment` may hold secrets: the file's mode is 0600.

    Relative locustfiles are looked up in `scenario_directory`, which is also the working directory
    where `enter_scenario` says so. `packages_directory` has what the scenario needs beside the
    kit's own packages. `secrets` are variables that are gone with the run, and of
    `master_environment` workers learn nothing. What `stays_on_offer` needs no secret, so that the
    web UI has it after the run.
    """

    run_id: RunId
    locustfiles: tuple[str, ...]
    scenario_directory: Path | None = None
    packages_directory: Path | None = None
    enter_scenario: bool = False
    secrets: dict[str, str] = {}
    master_environment: dict[str, str] = {}
    stays_on_offer: bool = False
    locust_arguments: tuple[str, ...] = ()
    master_arguments: tuple[str, ...] = ()
    environment: dict[str, str] = {}
    results_directory: Path | None = None
    """Where the master writes stats.csv and locust.html; None on workers."""
    slos: tuple[Slo, ...] = ()
    request_tags: dict[str, tuple[str, ...]] = {}
    """What the master judges while the run goes on, for the metrics."""
    warm_up: float = 0
    """Seconds of load that come before the measured interval."""
    time_limit: float | None = None
    """Seconds after which a test ends that a load shape drives; Locust leaves that to the shape."""
    request_log: RequestLogSettings | None = None
    request_log_directory: Path | None = None
    """Where workers write their part of the request log; None: the log is off."""


def load_node_settings(path: Path) -> NodeSettings:
    """Read a node settings file. UsageError names the file, the field and the rule."""
    return _load(NodeSettings, path)


def load_run_settings(node: NodeSettings) -> RunSettings | None:
    """Read the node's run.json; None when no run is set."""
    path = node.state_directory / RUN_FILE
    return _load(RunSettings, path) if path.exists() else None


def load_idle_settings(node: NodeSettings) -> RunSettings | None:
    """Read what the node offers between runs; None before the first one."""
    path = node.state_directory / IDLE_FILE
    return _load(RunSettings, path) if path.exists() else None


def _load(kind: type[Settings], path: Path) -> Settings:
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(
            f"{path} can't be read ({error.strerror}): run loadgen deploy to write it"
        ) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"{path} was not written by this release of loadgen ({place or 'the whole file'}: "
            f"{first['msg']}); only loadgen run and loadgen deploy may write this file"
        ) from error
