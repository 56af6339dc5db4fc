"""A cluster on this machine: one master, one worker process a core, and the exporter.

Everything listens on loopback. Keys, sockets and settings live in a private directory that goes
when the cluster goes; logs and reports go straight into the run's results directory.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import psutil
import zmq

from loadgen.cluster.bundled_target import BundledTarget
from loadgen.cluster.inspection import look_from
from loadgen.cluster.nursery import Nursery
from loadgen.cluster.packages import find_requirements, own_packages
from loadgen.cluster.scenario import Scenario, find_scenario
from loadgen.node import channel, control
from loadgen.node.locustfile_check import Inspection
from loadgen.node.settings import (
    PUBLISHER_SOCKET,
    RUN_FILE,
    NodeSettings,
    RunSettings,
    WebSettings,
    exporter_options,
)
from loadgen.node.target_check import require_answer
from loadgen.shared.errors import BusyError, OperationError, UsageError
from loadgen.shared.machine import Machine, this_machine
from loadgen.shared.ports import LOOPBACK, listeners
from loadgen.shared.processes import TERMINATE_SECONDS, Child, Starter, end_all, start_interpreter
from loadgen.shared.project import PROJECT
from loadgen.shared.snapshot import Snapshot, unpack
from loadgen.specification.plan import RunPlan
from loadgen.specification.run import MAXIMUM_USERS_PER_WORKER, RunSpecification

QUIT_SECONDS = 20
PARTING_SECONDS = 2.0
SILENCE_SECONDS = 15.0
HOST_NAME = "localhost"
PRIVATE_PREFIX = "loadgen-run-"
_OWNER = re.compile(rf"{PRIVATE_PREFIX}([0-9]{{1,9}})-")
SOCKET_PATH_MAX = 107
COUNTERS_FILE = ".counters"
"""In the results: what the exporter has counted in all runs, so that its counters never go back."""
NOT_ENDED = "did not end when asked and was killed"
LINGER_SECONDS = 60.0
"""How long at most the exporter waits for a Prometheus that has scraped it to do so once more."""


class LocalCluster:
    """The cluster interface (see `loadgen.cluster.base`) on this machine."""

    def __init__(self, specification: RunSpecification) -> None:
        self.silence_seconds = SILENCE_SECONDS
        self.workers_expected = specification.workers or os.cpu_count() or 1
        scheme = "https" if specification.tls_cert else "http"
        self.web_url = f"{scheme}://{LOOPBACK}:{specification.web_port}"
        self.release = PROJECT.name
        self.scenario = ""
        self._scenario: Scenario | None = None
        self._packages: Path | None = None
        self._specification = specification
        sweep_private_directories()
        self._private = make_private_directory()
        self._context = zmq.Context()
        self._subscription = self._context.socket(zmq.SUB)
        self._left: list[Snapshot] = []
        self._last: Snapshot | None = None
        self.missing: Mapping[str, str] = {}
        self.machines: tuple[Machine, ...] = ()
        # It imports Locust while the run is still being checked.
        self._nursery = Nursery(self._private / "nursery.log") if sys.platform == "linux" else None
        self._master: Child | None = None
        self._exporter: Child | None = None
        self._target: BundledTarget | None = None
        self._workers: list[Child] = []

    def inspect(self, specification: RunSpecification) -> Inspection:
        """Import the locustfiles in a child process."""
        environment = {**os.environ, **specification.node_environment(os.environ)}
        hashing = threading.Thread(target=self._hash, daemon=True, name="scenario")
        hashing.start()
        options = specification.locust_arguments
        found = look_from(self._start, self._found().paths, environment, self._packages, options)
        hashing.join()
        return found

    def _found(self) -> Scenario:
        if self._scenario is None:
            self._scenario = find_scenario(self._specification.locustfiles)
        return self._scenario

    def _hash(self) -> None:
        self.scenario = self._found().fingerprint_here()

    def accept(self, specification: RunSpecification) -> None:
        """Check the locustfile's place, its packages, users a worker, TLS, the exporter's words."""
        exporter_options(os.environ)
        requirements = find_requirements(self._found())
        self._packages = requirements and own_packages(requirements)
        share = specification.users / self.workers_expected
        if share > MAXIMUM_USERS_PER_WORKER:
            raise UsageError(
                f"--users {specification.users} on {self.workers_expected} workers means "
                f"{share:,.0f} users on each worker, but a worker process can run at most "
                f"{MAXIMUM_USERS_PER_WORKER:,}: give fewer users or more workers"
            )
        for path in (specification.tls_cert, specification.tls_key):
            if path and not path.is_file():
                raise UsageError(
                    f"{path} is not a file: give the paths of PEM files with --tls-cert and "
                    f"--tls-key"
                )

    def preflight(self, specification: RunSpecification) -> None:
        """Check that the ports are free."""
        self.machines = (this_machine(),)
        for option, port in (
            ("--web-port", specification.web_port),
            ("--master-bind-port", specification.master_bind_port),
            ("--exporter-port", specification.exporter_port),
        ):
            require_free_port(option, port)

    def running_target(self) -> str | None:
        """Return None: this machine has no target until one is started."""
        return None

    def start_bundled_target(self, simulator: str | None) -> str | None:
        """Start the bundled target and wait until it answers."""
        name = self._specification.simulator or simulator
        self._target = BundledTarget(name, self._specification.simulator_arguments, self._private)
        self._target.require_answer()
        return self._target.host

    def require_target(self, host: str, verify: bool) -> None:
        """Ask the target from here."""
        require_answer(host, verify=verify)

    def bring(self, stopped: Callable[[], bool]) -> None:
        """Do nothing: it is here."""

    def start(self, plan: RunPlan) -> None:
        """Make keys and settings, then start exporter, master and workers at once."""
        logs = plan.directory / "hosts" / HOST_NAME
        keys = self._private
        channel.create_key_pair(keys, channel.MASTER)
        channel.create_key_pair(keys, channel.WORKER)
        admitted = keys / channel.ADMITTED_DIRECTORY
        admitted.mkdir()
        shutil.copy(keys / f"{channel.WORKER}.key", admitted / f"{HOST_NAME}.key")
        node = self._write_node_settings(HOST_NAME)
        self._write_run(plan)
        self._subscription.subscribe(b"")
        # The subscription comes first, so that it misses no snapshot of a master that starts at
        # once.
        self._subscription.setsockopt(zmq.RECONNECT_IVL, 10)
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
        if self._nursery:
            self._nursery.close()

    def next_snapshot(self, timeout_seconds: float) -> Snapshot | None:
        """Wait for the master's next snapshot; after `finish` those that were left."""
        if self._left:
            return self._left.pop(0)
        if self._subscription.closed or not self._subscription.poll(int(timeout_seconds * 1000)):
            return None
        self._last = unpack(self._subscription.recv())
        return self._last

    def faults(self) -> Mapping[str, str]:
        """Tell which child processes ended without being asked."""
        target = self._target.process if self._target else None
        children = [target, self._exporter, self._master, *self._workers]
        return {child.name: child.fault for child in children if child and child.fault}

    def stop_load(self) -> None:
        """Ask the master over its control socket."""
        self._control("stop")

    def finish(self) -> Mapping[str, str]:
        """Let the master write its reports, then end everything and keep the target's log."""
        faults: dict[str, str] = {}
        if self._master and self._master.alive:
            with contextlib.suppress(OperationError):
                self._control("quit")
            if not self._master.wait(QUIT_SECONDS):
                faults["master"] = f"did not quit within {QUIT_SECONDS} s and was killed"
                self._master.kill()
        if self._master and not faults:
            self._take_what_is_left(self._master)
            if (self._master.exit_code or 0) < 0:
                name = signal.Signals(-(self._master.exit_code or 0)).name
                faults["master"] = f"was ended by {name} while it quit, so its reports may be cut"
        for worker in self._workers:
            worker.terminate()
        if self._exporter and self._exporter.alive:
            faults |= self._end_exporter(self._exporter)
        for name in end_all(self._workers):
            faults[name] = NOT_ENDED
        self.kill()
        return faults

    def _end_exporter(self, exporter: Child) -> Mapping[str, str]:
        """End it; one that was stopped first takes in what the master has said meanwhile."""
        exporter.resume()
        if end_all([exporter], LINGER_SECONDS + TERMINATE_SECONDS):
            return {exporter.name: NOT_ENDED}
        return {exporter.name: exporter.bad_end} if exporter.bad_end else {}

    def _take_what_is_left(self, master: Child) -> None:
        """Take the snapshots up to the parting one, which may come after its process has ended.

        Without one the locustfile has ended the master while it quit: its exit code is asked for.
        """
        deadline = time.monotonic() + PARTING_SECONDS
        while self._subscription.poll(max(0, int((deadline - time.monotonic()) * 1000))):
            self._last = unpack(self._subscription.recv())
            self._left.append(self._last)
            if self._last.parting:
                return
        if self._last is not None and (master.exit_code or 0) > 0:
            self._left.append(replace(self._last, exit_code=master.exit_code, parting=True))

    def keep_figures(self, run_id: str, figures: str) -> None:
        """Do nothing: `make monitoring` reads the results themselves."""

    def kill(self) -> None:
        """Kill every child and remove the private directory; a target may remove its own files."""
        if self._nursery:
            self._nursery.kill()
        for child in [*self._workers, self._master, self._exporter]:
            if child:
                child.kill()
        if self._target:
            self._target.end()
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
        return Child(name or role, arguments, log, lifeline=True, start=self._start)

    @property
    def _start(self) -> Starter:
        return self._nursery.start if self._nursery else start_interpreter

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

    def _write_run(self, plan: RunPlan) -> None:
        specification, directory = plan.specification, plan.directory.resolve()
        run = RunSettings(
            run_id=plan.run_id,
            locustfiles=self._found().paths,
            packages_directory=self._packages,
            locust_arguments=plan.locust_arguments(),
            master_arguments=plan.master_arguments(self.workers_expected),
            environment=specification.plain_environment,
            secrets=specification.secret_environment(os.environ),
            results_directory=directory,
            slos=specification.slos,
            request_tags=specification.request_tags,
            warm_up=specification.warm_up,
            time_limit=plan.time_limit_seconds,
            request_log=specification.request_log,
            request_log_directory=directory / "requests",
        )
        (self._private / RUN_FILE).write_text(run.model_dump_json())

    def _exporter_arguments(self, plan: RunPlan, node: NodeSettings) -> list[str]:
        return [
            "exporter",
            f"--subscribe={node.publisher_endpoint}",
            f"--listen={LOOPBACK}:{plan.specification.exporter_port}",
            f"--last-scrape={plan.directory / 'metrics.prom'}",
            f"--state={plan.directory.parent / COUNTERS_FILE}",
            f"--linger={LINGER_SECONDS:g}",
            *exporter_options(os.environ),
        ]


def make_private_directory() -> Path:
    """Make a directory for this run alone. UsageError when a socket's path in it is too long."""
    directory = Path(tempfile.mkdtemp(prefix=f"{PRIVATE_PREFIX}{os.getpid()}-"))
    length = len(str(directory / PUBLISHER_SOCKET))
    if length > SOCKET_PATH_MAX:
        directory.rmdir()
        raise UsageError(
            f"the path of a socket in the temporary directory {directory.parent} would have "
            f"{length} characters, but at most {SOCKET_PATH_MAX} are allowed: set TMPDIR to a "
            "directory with a shorter path, such as /tmp"
        )
    return directory


def sweep_private_directories() -> None:
    """Remove our own private directories whose process was killed before it could.

    Others may make names there too: a link, or a number that no process has.
    """
    for left in Path(tempfile.gettempdir()).glob(f"{PRIVATE_PREFIX}*-*"):
        process = _OWNER.match(left.name)
        with contextlib.suppress(OSError):
            seen = left.lstat()
            ours = stat.S_ISDIR(seen.st_mode) and seen.st_uid == os.getuid()
            if ours and process and not psutil.pid_exists(int(process[1])):
                shutil.rmtree(left, ignore_errors=True)


def require_free_port(option: str, port: int) -> None:
    """Raise BusyError with the holder's name when a loopback port can't be bound."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except PermissionError as error:
            raise UsageError(f"{option} {port} needs root: give a port above 1023") from error
        except OSError as error:
            holder = "".join(f" by {one}" for one in listeners(port)[:1])
            raise BusyError(
                f"port {port} of {LOOPBACK} is in use{holder}: end that program, or give "
                f"another {option}"
            ) from error
