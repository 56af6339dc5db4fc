"""A cluster on this machine: one master, one worker process a core, and the exporter.

Everything listens on loopback. Keys, sockets and settings live in a private directory that goes
when the cluster goes; logs and reports go straight into the run's results directory.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import psutil
import zmq

from loadgen.cluster.inspection import find_locustfile
from loadgen.node import channel, control
from loadgen.node.locustfile_check import Inspection, parse_inspection
from loadgen.node.settings import PUBLISHER_SOCKET, RUN_FILE, NodeSettings, RunSettings, WebSettings
from loadgen.node.target_check import require_answer
from loadgen.shared.errors import BusyError, OperationError, TargetError, UsageError
from loadgen.shared.processes import Child, end_all
from loadgen.shared.project import PROJECT
from loadgen.shared.snapshot import Snapshot, unpack
from loadgen.specification.plan import Plan
from loadgen.specification.run import MAXIMUM_USERS_PER_WORKER, RunSpecification

LOOPBACK = "127.0.0.1"
INSPECTION_SECONDS = 60
QUIT_SECONDS = 20
SILENCE_SECONDS = 15.0
TARGET_END_SECONDS = 3.0
HOST_NAME = "localhost"
PRIVATE_PREFIX = "loadgen-run-"
SOCKET_PATH_MAX = 107


class LocalCluster:
    """The cluster interface (see `loadgen.cluster.base`) on this machine."""

    def __init__(self, specification: RunSpecification) -> None:
        self.silence_seconds = SILENCE_SECONDS
        self.workers_expected = specification.workers or os.cpu_count() or 1
        scheme = "https" if specification.tls_cert else "http"
        self.web_url = f"{scheme}://{LOOPBACK}:{specification.web_port}"
        self.release = PROJECT.name
        self._specification = specification
        sweep_private_directories()
        self._private = make_private_directory()
        self._context = zmq.Context()
        self._subscription = self._context.socket(zmq.SUB)
        self._master: Child | None = None
        self._exporter: Child | None = None
        self._target: Child | None = None
        self._workers: list[Child] = []

    def inspect(self, specification: RunSpecification) -> Inspection:
        """Import the locustfiles in a child process."""
        self._write_node_settings("check")
        self._write_run("check", specification.locustfiles)
        try:
            finished = subprocess.run(
                self._node_command("check"),
                capture_output=True,
                text=True,
                timeout=INSPECTION_SECONDS,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except subprocess.TimeoutExpired:
            return Inspection(error=f"importing it took more than {INSPECTION_SECONDS} s")
        try:
            return parse_inspection(finished.stdout)
        except ValueError as error:
            detail = finished.stderr.strip().splitlines()[-1:] or [str(error)]
            return Inspection(error=detail[0])

    def preflight(self, specification: RunSpecification) -> None:
        """Check users a worker, key material for TLS, and that the ports are free."""
        share = specification.users / self.workers_expected
        if share > MAXIMUM_USERS_PER_WORKER:
            raise UsageError(
                f"--users {specification.users} on {self.workers_expected} workers is "
                f"{share:,.0f} a worker; a worker process bears at most "
                f"{MAXIMUM_USERS_PER_WORKER:,}: give fewer users or more workers"
            )
        for path in (specification.tls_cert, specification.tls_key):
            if path and not path.is_file():
                raise UsageError(f"{path} is no file: --tls-cert and --tls-key name PEM files")
        for option, port in (
            ("--web-port", specification.web_port),
            ("--master-bind-port", specification.master_bind_port),
            ("--exporter-port", specification.exporter_port),
        ):
            require_free_port(option, port)

    def default_host(self, simulator: str | None) -> str | None:
        """Start the bundled target on a free port of loopback."""
        name = self._specification.simulator or simulator or "hello"
        listen = f"{LOOPBACK}:{free_port()}"
        self._target = Child(
            "target",
            [
                "loadgen.simulators",
                name,
                "--listen",
                listen,
                *self._specification.simulator_arguments,
            ],
            self._private / "target.log",
            lifeline=True,
        )
        return f"http://{listen}"

    def require_target(self, host: str, patience_seconds: float, verify: bool) -> None:
        """Ask the target from here."""
        try:
            require_answer(host, patience_seconds, verify)
        except TargetError as error:
            if self._target is None or self._target.alive:
                raise
            said = self._target.log.read_text(errors="replace").strip().splitlines()[-1:]
            raise OperationError(
                f"the bundled target ended by itself: {''.join(said) or 'it said nothing'};"
                " or give a target's address with --host"
            ) from error

    def start(self, plan: Plan) -> None:
        """Make keys and settings, then start exporter, master and workers at once."""
        logs = plan.directory / "hosts" / HOST_NAME
        keys = self._private
        channel.create_key_pair(keys, channel.MASTER)
        channel.create_key_pair(keys, channel.WORKER)
        admitted = keys / channel.ADMITTED_DIRECTORY
        admitted.mkdir()
        shutil.copy(keys / f"{channel.WORKER}.key", admitted / f"{HOST_NAME}.key")
        node = self._write_node_settings(HOST_NAME)
        self._write_run(plan.run_id, plan.specification.locustfiles, plan, self.workers_expected)
        self._subscription.subscribe(b"")
        self._subscription.connect(node.publisher_endpoint)
        self._exporter = Child(
            "exporter",
            self._exporter_arguments(plan, node),
            logs / "exporter.log",
            lifeline=True,
        )
        self._master = self._start_node("master", logs / "master.log")
        self._workers = [
            self._start_node("worker", logs / f"worker-{number}.log", f"worker {number}")
            for number in range(1, self.workers_expected + 1)
        ]

    def next_snapshot(self, timeout_seconds: float) -> Snapshot | None:
        """Wait for the master's next snapshot."""
        if not self._subscription.poll(int(timeout_seconds * 1000)):
            return None
        return unpack(self._subscription.recv())

    def faults(self) -> Mapping[str, str]:
        """Tell which child processes ended without being asked."""
        children = [self._target, self._exporter, self._master, *self._workers]
        return {child.name: child.fault for child in children if child and child.fault}

    def stop_load(self) -> None:
        """Ask the master over its control socket."""
        self._control("stop")

    def reset_statistics(self) -> None:
        """Ask the master over its control socket."""
        self._control("reset")

    def finish(self) -> Mapping[str, str]:
        """Let the master write its reports, then end everything and keep the target's log."""
        faults: dict[str, str] = {}
        if self._master and self._master.alive:
            with contextlib.suppress(OperationError):
                self._control("quit")
            if not self._master.wait(QUIT_SECONDS):
                faults["master"] = f"did not quit within {QUIT_SECONDS} s and was killed"
                self._master.kill()
        killed = end_all([child for child in [*self._workers, self._exporter] if child])
        for name in killed:
            faults[name] = "did not end when asked and was killed"
        self.kill()
        return faults

    def kill(self) -> None:
        """Kill every child and remove the private directory; a target may remove its own files."""
        for child in [*self._workers, self._master, self._exporter]:
            if child:
                child.kill()
        if self._target:
            end_all([self._target], TARGET_END_SECONDS)
        self._context.destroy(linger=0)
        shutil.rmtree(self._private, ignore_errors=True)

    def _control(self, command: str) -> None:
        endpoint = self._settings(HOST_NAME).control_endpoint
        try:
            control.request(endpoint, command)
        except TimeoutError as error:
            raise OperationError(str(error)) from error

    def _start_node(self, role: str, log: Path, name: str | None = None) -> Child:
        arguments = ["loadgen.node", role, "--settings", str(self._settings_file)]
        return Child(name or role, arguments, log, lifeline=True)

    def _node_command(self, command: str) -> list[str]:
        module = ["-m", "loadgen.node", command]
        return [sys.executable, *module, "--settings", str(self._settings_file)]

    @property
    def _settings_file(self) -> Path:
        return self._private / "node.json"

    def _settings(self, name: str) -> NodeSettings:
        run = self._specification
        return NodeSettings(
            name=name,
            release_directory=PROJECT,
            keys_directory=self._private,
            state_directory=self._private,
            master_host=LOOPBACK,
            master_port=run.master_bind_port,
            web=WebSettings(
                host=LOOPBACK,
                port=run.web_port,
                tls_certificate=run.tls_cert and run.tls_cert.resolve(),
                tls_key=run.tls_key and run.tls_key.resolve(),
            ),
        )

    def _write_node_settings(self, name: str) -> NodeSettings:
        node = self._settings(name)
        self._settings_file.write_text(node.model_dump_json())
        return node

    def _write_run(
        self,
        run_id: str,
        locustfiles: tuple[str, ...],
        plan: Plan | None = None,
        workers: int = 0,
    ) -> None:
        run = RunSettings(
            run_id=run_id,
            locustfiles=tuple(str(find_locustfile(path)) for path in locustfiles),
            locust_arguments=plan.locust_arguments() if plan else (),
            master_arguments=plan.master_arguments(workers) if plan else (),
            environment=self._specification.node_environment(os.environ),
            results_directory=plan.directory.resolve() if plan else None,
            slos=self._specification.slos,
            request_tags=self._specification.request_tags,
            request_log=self._specification.request_log,
            request_log_directory=plan.directory.resolve() / "requests" if plan else None,
        )
        (self._private / RUN_FILE).write_text(run.model_dump_json())

    def _exporter_arguments(self, plan: Plan, node: NodeSettings) -> list[str]:
        return [
            "exporter",
            f"--subscribe={node.publisher_endpoint}",
            f"--listen={LOOPBACK}:{plan.specification.exporter_port}",
            f"--last-scrape={plan.directory / 'metrics.prom'}",
        ]


def make_private_directory() -> Path:
    """Make a directory for this run alone. UsageError when a socket's path in it is too long."""
    directory = Path(tempfile.mkdtemp(prefix=f"{PRIVATE_PREFIX}{os.getpid()}-"))
    length = len(str(directory / PUBLISHER_SOCKET))
    if length > SOCKET_PATH_MAX:
        directory.rmdir()
        raise UsageError(
            f"the temporary directory {directory.parent} makes a socket's path {length} characters "
            f"long, {SOCKET_PATH_MAX} are the most: set TMPDIR to a shorter one, such as /tmp"
        )
    return directory


def sweep_private_directories() -> None:
    """Remove our own private directories whose process was killed before it could."""
    for left in Path(tempfile.gettempdir()).glob(f"{PRIVATE_PREFIX}*-*"):
        pid = left.name.removeprefix(PRIVATE_PREFIX).partition("-")[0]
        ours = left.stat().st_uid == os.getuid()
        if ours and pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def free_port() -> int:
    """Return a TCP port that was free on loopback a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def require_free_port(option: str, port: int) -> None:
    """Raise BusyError with the holder's name when a loopback port can't be bound."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError as error:
            raise UsageError(f"{option} {port} needs root: give a port above 1023") from error
        except OSError as error:
            raise BusyError(
                f"port {port} of {LOOPBACK} is in use{_holder(port)}: end that, or give another "
                f"{option}"
            ) from error


def _holder(port: int) -> str:
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            listens = local and local.port == port and connection.status == psutil.CONN_LISTEN
            if listens and connection.pid:
                return f" by {psutil.Process(connection.pid).name()}, process {connection.pid}"
    return ""
