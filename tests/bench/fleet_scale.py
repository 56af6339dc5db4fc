"""What a fleet of 10, 100 and 500 hosts costs the controller: CPU and bytes a host, by verb.

    python -m tests.bench.fleet_scale [HOSTS ...]

Each host is a login at one real sshd of this machine, over real SSH, and a script that answers as
an agent would; so the CPU is the controller's (this process, its ssh clients, Ansible's reading of
the inventory), and none of it is the hosts'.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from loadgen.deploy import release
from loadgen.fleet.collecting import collect_node
from loadgen.fleet.connections import sessions, ssh
from loadgen.fleet.connections.ssh import Remote, ask_all, on_all
from loadgen.fleet.inventory import load_inventory
from loadgen.fleet.probing import probe
from loadgen.fleet.requests import (
    AgentAnswer,
    AgentRequest,
    AskTarget,
    Collect,
    Finish,
    Forget,
    NodeReport,
    Preflight,
    Settle,
    Start,
    Status,
)
from loadgen.shared.run_ids import RunId
from tests.ports import free_port
from tests.unit.fleet.sshds import SSHD, make_key
from tests.waiting import await_

# It becomes nobody, says that it did, reads the command, and answers it without carrying it out.
HOST = """#!/bin/sh
marker=$(printf '%s' "$*" | sed -n 's/.*echo \\(BECOME-SUCCESS-[a-z]*\\).*/\\1/p')
echo "$marker"
IFS= read -r line
case $line in
  *readlink*) echo RELEASE; date +%s.%N;;
  *collect*) cat DIRECTORY/collected.tar.gz;;
  *serve*) while IFS= read -r request; do cat DIRECTORY/answer; done;;
esac
"""
RUN = RunId("20261121T101500Z-hello-0001")
REQUESTS: tuple[AgentRequest, ...] = (
    Preflight(users=100, scenario="a" * 64),
    AskTarget(host="http://127.0.0.1"),
    Start(workers=2),
    Finish(),
    Settle(processes={"loadgen-worker@1.service": 7, "loadgen-worker@2.service": 8}),
    Forget(run_id=RUN),
)
JOURNAL_LINES = 400
# This machine is both ends of each login: more at once would only wait for each other.
AT_ONCE = 12
COMMAND = (
    f"from loadgen.fleet.connections import ssh; ssh.MAXIMUM_PARALLEL = {AT_ONCE}; "
    "from loadgen.cli.main import main; main()"
)


@dataclass
class Cost:
    """What something took: CPU of this process and its children, time, bytes both ways."""

    cpu_seconds: float
    seconds: float
    bytes: int


class Meter:
    """Counts what goes through sessions."""

    def __init__(self) -> None:
        self.bytes = 0
        send, receive = sessions.Session.send, sessions.Session.receive

        def counted_send(one: sessions.Session, content: bytes, *more: object) -> None:
            self.bytes += len(content)
            send(one, content, *more)  # type: ignore[arg-type]

        def counted_receive(one: sessions.Session, timeout: float) -> Iterator[tuple[bool, bytes]]:
            for is_error, chunk in receive(one, timeout):
                self.bytes += len(chunk)
                yield is_error, chunk

        sessions.Session.send = counted_send  # type: ignore[assignment,method-assign]
        sessions.Session.receive = counted_receive  # type: ignore[assignment,method-assign]


def cpu_seconds() -> float:
    """Return what this process and those of its children that ended have used."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def write_hosts(directory: Path) -> None:
    """Write the script that each host is, and what it answers."""
    report = NodeReport(
        name="worker", is_master=True, release=release.current(), locust_version="2.43.0",
        units={f"loadgen-worker@{n}.service": "active" for n in (1, 2)}, run_id=None, state="ready",
    )  # fmt: skip
    (directory / "answer").write_text(AgentAnswer(report=report).model_dump_json() + "\n")
    log = directory / "loadgen-worker@1.log"
    line = (
        "2026-11-21T10:15:00+0000 worker1 python[4711]: [INFO] Ramping to 50 users at a rate of 5\n"
    )
    log.write_text(line * JOURNAL_LINES)
    packed = directory / "collected.tar.gz"
    words: list[str | Path] = [
        "tar",
        "-czf",
        packed,
        "--transform",
        "s#^#logs/#",
        "-C",
        directory,
        log.name,
    ]
    subprocess.run(words, check=True)
    script = HOST.replace("DIRECTORY", str(directory)).replace("RELEASE", release.current())
    (directory / "become").write_text(script)
    (directory / "become").chmod(0o755)


def serve(directory: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start one sshd for all hosts."""
    for name in ("host", "key"):
        make_key(directory / name)
    port, log = free_port(), directory / "sshd.log"
    (directory / "sshd").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {directory / 'host'}\nPidFile none\n"
        f"AuthorizedKeysFile {directory / 'key.pub'}\nStrictModes no\nPermitRootLogin yes\n"
        "UsePAM no\nMaxStartups 200\nMaxSessions 20\n"
    )
    key = " ".join((directory / "host.pub").read_text().split()[:2])
    (directory / "known").write_text(f"[127.0.0.1]:{port} {key}\n")
    Path("/run/sshd").mkdir(exist_ok=True)
    with log.open("wb") as errors:
        process = subprocess.Popen([SSHD, "-D", "-e", "-f", directory / "sshd"], stderr=errors)
    await_(lambda: "Server listening" in log.read_text(), "sshd to listen")
    return process, port


def write_inventory(directory: Path, port: int, hosts: int) -> Path:
    """Write a fleet of a master and as many worker hosts less one."""
    variables = {
        "ansible_host": "127.0.0.1", "ansible_port": port, "ansible_become": True,
        "ansible_ssh_private_key_file": str(directory / "key"),
        "ansible_become_exe": str(directory / "become"),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={directory / 'known'}",
    }  # fmt: skip
    workers: dict[str, object] = {f"worker{n}": {} for n in range(1, hosts)}
    groups = {"master": {"hosts": {"master1": {}}}, "workers": {"hosts": workers}}
    path = directory / f"hosts-{hosts}.yml"
    path.write_text(json.dumps({"all": {"vars": variables, "children": groups}}))
    return path


def status(path: Path) -> Cost:
    """Ask all hosts as `loadgen status` does, as a command."""
    before, began = cpu_seconds(), time.monotonic()
    command = [sys.executable, "-c", COMMAND, "status", "--inventory", str(path)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    if said.returncode:
        raise SystemExit(said.stdout + said.stderr)
    return Cost(cpu_seconds() - before, time.monotonic() - began, 0)


def exchange(path: Path, meter: Meter, directory: Path) -> Cost:
    """Do with all hosts what a run does, but for the archive of its scenario."""
    before, began, meter.bytes = cpu_seconds(), time.monotonic(), 0
    inventory = load_inventory(path)
    remotes = {node.name: Remote(node) for node in inventory.nodes}
    faults = dict(on_all(remotes, probe).faults)
    for request in REQUESTS:
        faults |= ask_all(remotes, request).faults
    collected = on_all(
        remotes, lambda remote: collect_node(remote, directory / "results", Collect(run_id=RUN))
    )
    faults |= collected.faults
    faults |= ask_all(remotes, Status()).faults
    for remote in remotes.values():
        remote.close()
    if faults:
        raise SystemExit("\n".join(f"{name}: {fault}" for name, fault in faults.items())[:2000])
    return Cost(cpu_seconds() - before, time.monotonic() - began, meter.bytes)


def main() -> None:
    """Print a line a size of fleet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("hosts", nargs="*", type=int, default=[10, 100, 500])
    sizes = parser.parse_args().hosts
    meter = Meter()
    ssh.MAXIMUM_PARALLEL = AT_ONCE
    with tempfile.TemporaryDirectory(prefix="fleet-") as name:
        directory = Path(name)
        write_hosts(directory)
        sshd, port = serve(directory)
        try:
            print("hosts   status: CPU, time      a run: CPU, time, bytes a host")
            for hosts in sizes:
                path = write_inventory(directory, port, hosts)
                asked, ran = status(path), exchange(path, meter, directory)
                print(
                    f"{hosts:>5}   {asked.cpu_seconds:6.1f} s {asked.seconds:6.1f} s      "
                    f"{ran.cpu_seconds:6.1f} s {ran.seconds:6.1f} s "
                    f"{ran.bytes / hosts / 1024:6.1f} KiB",
                    flush=True,
                )
        finally:
            sshd.terminate()
            sshd.wait(10)


if __name__ == "__main__":
    os.environ.pop("SSH_AUTH_SOCK", None)
    main()
