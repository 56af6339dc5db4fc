"""What is missing on a machine and a fleet, in one screen: what was seen, and what to do.

A *finding* is ok, a warning (the kit works, but not as well as it could), or something missing (a
verb will fail).
"""

import ctypes
import os
import platform
import resource
import shutil
import socket
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import psutil

from loadgen.cluster.local import require_free_port
from loadgen.deploy.ansible_user import require_user
from loadgen.shared.errors import LoadgenError
from loadgen.shared.files import MINIMUM_FREE_BYTES
from loadgen.shared.ports import LOOPBACK
from loadgen.shared.text import plain_line
from loadgen.specification.run import RunSpecification

DESCRIPTORS_MIN = 10_000
FREE_BYTES_MIN = 1 << 30
WIDTH = 14
DESCRIPTORS_OF_A_WORKER = 200
CONNECT_SECONDS = 2.0
TIMEX_BYTES = 512
"""More than the kernel's struct timex, whose first field, modes, is 0: nothing is changed."""
CLOCK_UNSYNCHRONISED = 5
SIGNS = {"ok": "ok     ", "look": "WARNING", "lacking": "MISSING"}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    state: Literal["ok", "look", "lacking"]
    subject: str
    text: str


def look_here(results: Path) -> list[Finding]:
    """Look at this machine: what a run needs, then what the fleet's verbs need."""
    return [*_versions(), *_machine(results), *_ports(), *_programs()]


def look_at_fleet(path: Path, vault: Sequence[str] = ()) -> list[Finding]:
    """Ask every host of an inventory over SSH what it is and whether its units are well."""
    try:
        return list(_fleet(path, vault))
    except LoadgenError as error:
        return [Finding("lacking", "inventory", str(error))]


def describe(findings: list[Finding]) -> str:
    """Return a line for each finding, and how many must be put right."""
    lines = [
        f"{SIGNS[finding.state]} {finding.subject:<{WIDTH}} {plain_line(finding.text)}"
        for finding in findings
    ]
    lacking = sum(finding.state == "lacking" for finding in findings)
    missing = (
        f"{lacking} of these must be corrected: each line above that begins with MISSING says how."
    )
    lines.append(missing if lacking else "Nothing is missing.")
    return "\n".join(lines)


def _versions() -> Iterator[Finding]:
    found = f"{platform.python_version()}, {platform.python_implementation()}, {sys.executable}"
    yield Finding("ok", "Python", found)
    yield Finding("ok", "loadgen", f"{version('loadgen-fleet')}, Locust {version('locust')}")


def _machine(results: Path) -> Iterator[Finding]:
    cores = os.cpu_count() or 1
    memory = psutil.virtual_memory().total / (1 << 30)
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    yield Finding("ok", "machine", f"{cores} cores, {memory:.1f} GiB of memory, {system}")
    yield _load(cores)
    yield _descriptors()
    yield _disk(results)
    yield _clock()
    yield _loopback()


def _load(cores: int) -> Finding:
    busy = os.getloadavg()[0]
    if busy < cores / 2:
        return Finding("ok", "load", f"{busy:.1f} over the last minute")
    text = (
        f"{busy:.1f} over the last minute on {cores} cores: other programs are "
        f"using the cores, so a run may be invalid; wait until they have finished, "
        f"or end them"
    )
    return Finding("look", "load", text)


def _descriptors() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= DESCRIPTORS_MIN:
        return Finding("ok", "open files", f"{max(soft, DESCRIPTORS_MIN):,} for each process")
    most = DESCRIPTORS_MIN if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS_MIN)
    remedy = f"run ulimit -n {most} first" if most > soft else "root has to raise the hard limit"
    users = soft - DESCRIPTORS_OF_A_WORKER
    if users <= 0:
        return Finding(
            "lacking",
            "open files",
            f"{soft:,} for each process, which is too few for a run: {remedy}",
        )
    text = (
        f"{soft:,} for each process, and each connection needs one: for more than "
        f"about {users:,} users on each worker, {remedy}"
    )
    return Finding("look", "open files", text)


def _disk(results: Path) -> Finding:
    place = next(one for one in (results, *results.absolute().parents) if _is_there(one))
    if not place.is_dir():
        reason = f"{place} is a file: give a directory with --results"
        return Finding("lacking", "disk", reason)
    free = shutil.disk_usage(place).free
    text = f"{free / (1 << 30):.1f} GiB are free for {results}"
    if not os.access(place, os.W_OK):
        reason = (
            f"{place} can't be written: make it writable, or give another directory with --results"
        )
        return Finding("lacking", "disk", reason)
    if free < MINIMUM_FREE_BYTES:
        needed = f"{MINIMUM_FREE_BYTES >> 20} MiB"
        reason = f"{free >> 20} MiB are free for {results}, but a run needs {needed}: make room"
        return Finding("lacking", "disk", f"{reason}, or give another directory with --results")
    if free < FREE_BYTES_MIN:
        return Finding("look", "disk", f"{text}: a long run with a request log may fill it")
    return Finding("ok", "disk", text)


def _is_there(path: Path) -> bool:
    """Tell whether a path exists; below a file, or behind a directory that is closed, none does."""
    try:
        return path.exists()
    except OSError:
        return False


def _clock() -> Finding:
    """Ask the kernel whether a time service keeps the clock (`man 2 adjtimex`)."""
    adjtimex = getattr(ctypes.CDLL(None), "adjtimex", None)
    if adjtimex is None:
        return Finding("ok", "clock", "this system doesn't say whether a time service keeps it")
    state = adjtimex(ctypes.create_string_buffer(TIMEX_BYTES))
    if state not in (CLOCK_UNSYNCHRONISED, -1):
        return Finding("ok", "clock", "a time service keeps it")
    text = (
        "no time service keeps it: a run on this machine needs none, but a fleet's clocks have to "
        "agree; start chrony or systemd-timesyncd"
    )
    return Finding("look", "clock", text)


def _loopback() -> Finding:
    """Connect to this machine, and look up its name."""
    try:
        with socket.create_server((LOOPBACK, 0)) as server:
            socket.create_connection(server.getsockname(), CONNECT_SECONDS).close()
    except OSError as error:
        reason = f"{LOOPBACK} can't be reached ({error.strerror or error}): run ip link set lo up"
        return Finding("lacking", "loopback", reason)
    try:
        found = {one[4][0] for one in socket.getaddrinfo("localhost", None, socket.AF_INET)}
    except OSError:
        found = set()
    if LOOPBACK in found:
        return Finding("ok", "loopback", f"{LOOPBACK} answers, and localhost is its name")
    text = (
        f"localhost isn't {LOOPBACK} here: add the line '{LOOPBACK} localhost' to /etc/hosts, or "
        f"give targets on this machine as http://{LOOPBACK}"
    )
    return Finding("look", "loopback", text)


def _ports() -> Iterator[Finding]:
    fields = RunSpecification.model_fields
    for name in ("web_port", "master_bind_port", "exporter_port"):
        option, port = f"--{name.replace('_', '-')}", fields[name].default
        try:
            require_free_port(option, port)
        except LoadgenError as error:
            yield Finding("lacking", f"port {port}", str(error))
        else:
            yield Finding("ok", f"port {port}", f"is free ({option})")


def _programs() -> Iterator[Finding]:
    ansible = Path(sys.executable).with_name("ansible-playbook")
    if ansible.is_file() and find_spec("fabric"):
        yield _user(f"{ansible} and Fabric are installed")
    else:
        text = (
            "Ansible and Fabric are not installed in this Python environment; make "
            ".venv/.controller installs them"
        )
        yield Finding("look", "fleet verbs", text)
    for name, purpose in (
        (
            "ssh",
            "the fleet commands need it: install openssh-clients (RHEL) or openssh-client (Debian)",
        ),
        (
            "prometheus",
            "loadgen monitoring needs it on this machine; a fleet has its own Prometheus",
        ),
    ):
        path = shutil.which(name)
        state: Literal["ok", "look"] = "ok" if path else "look"
        yield Finding(state, name, path or f"is not on PATH; {purpose}")


def _user(installed: str) -> Finding:
    try:
        require_user()
    except LoadgenError as error:
        return Finding("look", "fleet verbs", str(error))
    return Finding("ok", "fleet verbs", installed)


def _fleet(path: Path, vault: Sequence[str]) -> Iterator[Finding]:
    # These need a controller's packages.
    from loadgen.cli.fleet import describe as describe_node  # noqa: PLC0415
    from loadgen.cli.fleet import status_of  # noqa: PLC0415
    from loadgen.fleet.inventory import load_inventory  # noqa: PLC0415

    inventory = load_inventory(path, vault)
    groups = f"1 master, {len(inventory.workers)} worker hosts"
    yield Finding("ok", "inventory", f"{path}: {groups}")
    found = status_of(inventory)
    for node in inventory.nodes:
        fault = found.faults.get(node.name)
        if fault:
            yield Finding("lacking", node.name, fault)
            continue
        report = found.answers[node.name]
        well = all(state == "active" for state in report.units.values())
        yield Finding("ok" if well else "lacking", node.name, describe_node(report))
