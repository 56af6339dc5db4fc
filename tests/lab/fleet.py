"""What the tests of a deployed fleet share: its addresses, its verbs, its hosts."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
INVENTORY = PROJECT / "inventory" / "lab"
LAB_HOST = PROJECT / "playbooks" / "roles" / "lab_hosts" / "files" / "lab-host"
TARGET = "http://10.77.0.31:8000"
ADDRESSES = {
    "master1": "10.77.0.11",
    "worker1": "10.77.0.21",
    "worker2": "10.77.0.22",
    "worker3": "10.77.0.23",
    "worker4": "10.77.0.24",
    "monitor1": "10.77.0.31",
}
MASTER = ADDRESSES["master1"]
HARD_TIMEOUT_SECONDS = 240
# Each worker host asks the target once before a run.
TARGET_CHECKS = 3


def lab(*words: str) -> None:
    subprocess.run([str(LAB_HOST), *words], check=True, capture_output=True, timeout=90)


def start_make(
    verb: str, *variables: str, inventory: Path = INVENTORY, options: str = ""
) -> subprocess.Popen[str]:
    """Start a verb in a process group of its own; `options` are Ansible's."""
    given = [f"INVENTORY={inventory}", *([f"PLAYBOOK_OPTIONS={options}"] if options else [])]
    return subprocess.Popen(
        ["make", verb, *given, *variables],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def make(
    verb: str, *variables: str, inventory: Path = INVENTORY, options: str = "", code: int = 0
) -> str:
    """Run a verb that ends with `code`; return its output."""
    process = start_make(verb, *variables, inventory=inventory, options=options)
    try:
        output, _ = process.communicate(timeout=900)
    except BaseException:
        os.killpg(process.pid, signal.SIGINT)
        raise
    assert process.returncode == code, output[-6000:]
    return output


def flat(output: str) -> str:
    """Return what Ansible said as one line, with the apostrophes that its YAML doubles."""
    return " ".join(output.split()).replace("''", "'")


def deploy(*variables: str) -> None:
    """Bring the fleet to its state; a deployed one is not changed."""
    make("deploy", *variables)


def changed(output: str) -> dict[str, int]:
    """Return the number of changes by host from Ansible's recap."""
    found = re.findall(r"^(\S+) +: ok=\d+ +changed=(\d+)", output, re.M)
    return {host: int(count) for host, count in found}


class Loadgen:
    """The command, with results of its own."""

    def __init__(self, results: Path, inventory: Path = INVENTORY) -> None:
        self.results = results
        self.inventory = inventory

    def command(self, verb: str, *options: str) -> list[str]:
        own = ["--inventory", str(self.inventory)]
        if verb in ("run", "stop", "logs"):
            own += ["--results", str(self.results)]
        return [sys.executable, "-m", "loadgen", verb, *own, *options]

    def start(self, verb: str, *options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command(verb, *options),
            cwd=PROJECT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __call__(self, verb: str, *options: str) -> tuple[int, str]:
        process = self.start(verb, *options)
        output, _ = process.communicate(timeout=HARD_TIMEOUT_SECONDS)
        return process.returncode, output

    @property
    def directory(self) -> Path:
        return (self.results / "latest").resolve()

    @property
    def summary(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.directory / "summary.json").read_text())
        return loaded


def await_idle(loadgen: Loadgen) -> None:
    """Wait until every unit of every host is active and no run is under way."""
    deadline = time.monotonic() + 60
    while True:
        code, output = loadgen("status")
        if code == 0 and "no run is under way" in output:
            return
        assert time.monotonic() < deadline, f"the fleet is not idle:\n{output}"


def read_until(process: subprocess.Popen[str], *patterns: str) -> str:
    """Read a process's output up to lines that match, one for each pattern in turn."""
    assert process.stdout
    seen, awaited = [], list(patterns)
    for line in process.stdout:
        seen.append(line)
        if re.search(awaited[0], line):
            awaited.pop(0)
        if not awaited:
            return "".join(seen)
    raise AssertionError(f"ended without {awaited[0]!r}:\n{''.join(seen)}")


def requests_at_target() -> int:
    with urllib.request.urlopen(f"{TARGET}/_state.json", timeout=10) as answer:
        return int(json.load(answer)["received"])


def on_host(host: str, script: str, inventory: Path = INVENTORY) -> str:
    """Run a script as root on a lab host, given by name or address; return its output."""
    keys = inventory / ".ssh"
    command = ["ssh", "-i", str(keys / "id_ed25519"), "-o", "LogLevel=ERROR"]
    command += [
        "-o",
        f"UserKnownHostsFile={keys / 'known_hosts'}",
        f"deploy@{ADDRESSES.get(host, host)}",
    ]
    finished = subprocess.run(
        [*command, "sudo", "bash", "-e", "-s"],
        input=script,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert finished.returncode == 0, f"{host}: {finished.stderr[-3000:]}"
    return finished.stdout


def inventory_with(directory: Path, change: Callable[[str], str]) -> Path:
    """Make an inventory of the lab's fleet with another hosts.yml and the same secrets."""
    directory.mkdir()
    for name in (".ssh", ".secrets", "group_vars"):
        (directory / name).symlink_to(INVENTORY / name)
    (directory / "hosts.yml").write_text(change((INVENTORY / "hosts.yml").read_text()))
    return directory


def start_workers(host: str) -> None:
    on_host(host, "systemctl start loadgen-worker@1 loadgen-worker@2")


@contextmanager
def fault(begin: list[str], end: list[str]) -> Iterator[None]:
    lab(*begin)
    try:
        yield
    finally:
        lab(*end)
