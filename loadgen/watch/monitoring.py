"""`make monitoring`: Prometheus, and Grafana where it is installed, for runs on this machine.

    exporter of a run :9646 ─┐
    exporter of results/     ├─► Prometheus :9090 ─► Grafana :3000
    node_exporter :9100      ┘

Everything listens on loopback, runs in the foreground's stead, and ends with it. Data is kept in
`.monitoring/`, so that runs can be compared tomorrow.
"""

import argparse
import http.client
import os
import secrets
import shutil
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import fields
from pathlib import Path

from loadgen.shared.errors import BusyError, OperationError, UsageError
from loadgen.shared.interruption import Interruption
from loadgen.shared.loopback import open_directly
from loadgen.shared.ports import LOOPBACK
from loadgen.shared.processes import Child, end_all, last_telling_line, start_command
from loadgen.shared.project import KIT, PROJECT, PYTHON_MODULE
from loadgen.watch.endpoints import SCRAPE_SECONDS, Ports
from loadgen.watch.prometheus_files import SCRAPE_SECONDS_MAX, configuration, write_rules

RETENTION = "90d"
START_SECONDS = 30.0
END_SECONDS = 15.0
Running = AbstractContextManager[Child]
GRAFANA_HOMES = ("/usr/share/grafana", "/opt/grafana")


@contextmanager
def process(
    name: str,
    command: Sequence[str],
    log: Path,
    port: int,
    environment: Mapping[str, str],
    ready: str = "/metrics",
) -> Iterator[Child]:
    """Run a command until the block ends; it answers `GET ready` on `port` when the block begins.

    Raises BusyError when another program has the port, OperationError when it doesn't start.
    """
    if _listening(port):
        raise BusyError(
            f"{name} can't listen on {LOOPBACK}:{port}: another program does. "
            "End that program, or give another port, for example with "
            "loadgen monitoring --prometheus-port 9099."
        )
    child = Child(name, command, log, environment, start=start_command)
    try:
        _await_answer(child, port, ready)
        yield child
    finally:
        end_all([child], END_SECONDS)


def prometheus(
    directory: Path,
    ports: Ports,
    scrape_seconds: int = SCRAPE_SECONDS,
    targets: Sequence[str] = (),
) -> Running:
    """Run Prometheus on loopback with configuration, rules and data in `directory`."""
    program = shutil.which("prometheus")
    if program is None:
        raise UsageError(
            "prometheus was not found on PATH: install it (Debian: apt-get install prometheus; "
            "elsewhere: the archive from its project's site), then run this again."
        )
    rules = directory / "rules"
    write_rules(KIT / "exporter", rules, scrape_seconds)
    config = configuration(ports, rules, scrape_seconds, targets)
    (directory / "prometheus.yml").write_text(config)
    command = [
        program,
        f"--config.file={directory / 'prometheus.yml'}",
        f"--storage.tsdb.path={directory / 'prometheus'}",
        f"--storage.tsdb.retention.time={RETENTION}",
        f"--web.listen-address={LOOPBACK}:{ports.prometheus}",
    ]
    log = directory / "prometheus.log"
    return process("Prometheus", command, log, ports.prometheus, {}, "/-/ready")


def grafana(directory: Path, ports: Ports, scrape_seconds: int) -> Running | None:
    """Run Grafana with the kit's dashboards; None where it isn't installed.

    Anyone on this machine may look; the password of its `admin` is in `grafana-password`.
    """
    program = shutil.which("grafana") or shutil.which("grafana-server")
    home = next((home for home in GRAFANA_HOMES if Path(home).is_dir()), None)
    if program is None or home is None:
        return None
    own = KIT / "exporter" / "grafana"
    environment = {
        "GF_PATHS_DATA": str(directory / "grafana"),
        "GF_PATHS_LOGS": str(directory / "grafana"),
        "GF_PATHS_PROVISIONING": str(own / "provisioning"),
        "GF_SERVER_HTTP_ADDR": LOOPBACK,
        "GF_SERVER_HTTP_PORT": str(ports.grafana),
        "GF_SECURITY_ADMIN_PASSWORD": _password(directory / "grafana-password"),
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
        # Other users of this machine, and web pages that know the default password, can only view.
        "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
        "GF_AUTH_DISABLE_LOGIN_FORM": "true",
        "GF_AUTH_BASIC_ENABLED": "false",
        "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION": "true",
        "GF_SERVER_DOMAIN": LOOPBACK,
        "GF_SERVER_ENFORCE_DOMAIN": "true",
        "GF_ANALYTICS_REPORTING_ENABLED": "false",
        "GF_ANALYTICS_CHECK_FOR_UPDATES": "false",
        "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH": str(own / "dashboards" / "home.json"),
        "LOADGEN_PROMETHEUS_URL": f"http://{LOOPBACK}:{ports.prometheus}",
        "LOADGEN_SCRAPE_INTERVAL": f"{scrape_seconds}s",
        "LOADGEN_DASHBOARDS": str(own / "dashboards"),
    }
    verb = ["server"] if Path(program).name == "grafana" else []
    command = [program, *verb, f"--homepath={home}"]
    log = directory / "grafana.log"
    return process("Grafana", command, log, ports.grafana, environment, "/api/health")


def _password(file: Path) -> str:
    """Return the administrator's password, made at the first start and readable by its user."""
    if not file.exists():
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as written:
            written.write(f"{secrets.token_urlsafe(18)}\n")
    return file.read_text().strip()


def node_exporter(directory: Path, port: int) -> Running | None:
    """Run the node exporter; None where it isn't installed or runs already."""
    program = shutil.which("prometheus-node-exporter") or shutil.which("node_exporter")
    if program is None or _listening(port):
        return None
    command = [program, f"--web.listen-address={LOOPBACK}:{port}"]
    return process("The node exporter", command, directory / "node_exporter.log", port, {})


def archive(directory: Path, port: int, results: Path) -> Running:
    """Run an exporter that serves the verdicts of past runs."""
    listen = f"{LOOPBACK}:{port}"
    command = [*PYTHON_MODULE, "exporter", "--results", str(results), "--listen", listen]
    environment = {"PYTHONPATH": str(PROJECT)}
    return process("The archive's exporter", command, directory / "archive.log", port, environment)


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((LOOPBACK, port)) == 0


def _answers(port: int, path: str) -> bool:
    try:
        with open_directly(f"http://{LOOPBACK}:{port}{path}", timeout=2.0):
            return True
    except (OSError, http.client.HTTPException):
        return False


def _await_answer(child: Child, port: int, path: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(port, path):
        if not child.alive or time.monotonic() > deadline:
            raise OperationError(
                f"{child.name} was started, but did not answer on {LOOPBACK}:{port}: "
                f"{last_telling_line(child.log)}. Its log is {child.log}."
            )
        time.sleep(0.05)


def bring_up(
    ports: Ports,
    directory: Path,
    results: Path,
    interruption: Interruption,
    scrape_seconds: int = SCRAPE_SECONDS,
    targets: Sequence[str] = (),
) -> None:
    """Run everything that is installed until it is interrupted; prints where it is."""
    if not 1 <= scrape_seconds <= SCRAPE_SECONDS_MAX:
        raise UsageError(
            f"--scrape-interval {scrape_seconds} is out of range: give 1 to {SCRAPE_SECONDS_MAX} "
            "seconds"
        )
    directory.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(prometheus(directory, ports, scrape_seconds, targets))
        stack.enter_context(archive(directory, ports.archive, results))
        print(f"Prometheus  http://{LOOPBACK}:{ports.prometheus}")
        for running in (
            node_exporter(directory, ports.node),
            grafana(directory, ports, scrape_seconds),
        ):
            if running is not None:
                stack.enter_context(running)
        if _listening(ports.grafana):
            print(f"Grafana     http://{LOOPBACK}:{ports.grafana}/d/loadgen-home")
        else:
            print("Grafana     is not installed; its dashboards are in exporter/grafana/dashboards")
        print("Ctrl-C ends it.", flush=True)
        while interruption.sleep(3600.0):
            continue


def monitor(given: argparse.Namespace) -> int:
    """Carry out `loadgen monitoring`: until Ctrl-C or SIGTERM."""
    ports = Ports(**{field.name: getattr(given, f"{field.name}_port") for field in fields(Ports)})
    interruption = Interruption()
    with interruption.listen():
        bring_up(
            ports,
            given.directory.absolute(),
            given.results.absolute(),
            interruption,
            given.scrape_interval,
            given.target_scrape,
        )
    return 0
