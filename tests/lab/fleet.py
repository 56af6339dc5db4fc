"""What the tests of a deployed fleet share: its addresses, its verbs, its hosts."""

import json
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
INVENTORY = PROJECT / "inventory" / "lab"
LAB_HOST = PROJECT / "playbooks" / "roles" / "lab_hosts" / "files" / "lab-host"
TARGET = "http://10.77.0.31:8000"
MASTER = "10.77.0.11"
HARD_TIMEOUT_SECONDS = 240
# Each worker host asks the target once before a run.
TARGET_CHECKS = 3


def lab(*words: str) -> None:
    subprocess.run([str(LAB_HOST), *words], check=True, capture_output=True, timeout=90)


def deploy(*variables: str) -> None:
    """Bring the fleet to its state; a deployed one is not changed."""
    finished = subprocess.run(
        ["make", "deploy", f"INVENTORY={INVENTORY}", *variables],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout[-4000:] + finished.stderr


class Loadgen:
    """The command, with results of its own."""

    def __init__(self, results: Path) -> None:
        self.results = results

    def command(self, verb: str, *options: str) -> list[str]:
        own = ["--inventory", str(INVENTORY), "--results", str(self.results)]
        return [sys.executable, "-m", "operations", verb, *own, *options]

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


def read_until(process: subprocess.Popen[str], pattern: str) -> str:
    """Read a process's output up to a line that matches."""
    assert process.stdout
    seen = []
    for line in process.stdout:
        seen.append(line)
        if re.search(pattern, line):
            return "".join(seen)
    raise AssertionError(f"ended without {pattern!r}:\n{''.join(seen)}")


def requests_at_target() -> int:
    with urllib.request.urlopen(f"{TARGET}/_state.json", timeout=10) as answer:
        return int(json.load(answer)["received"])


def on_host(host: str, script: str) -> str:
    """Run a script as root on a lab host; return what Ansible says of it."""
    command = [str(Path(sys.executable).with_name("ansible")), "--inventory", str(INVENTORY)]
    command += [host, "--become", "--module-name", "ansible.builtin.shell", "--args", script]
    finished = subprocess.run(
        command, check=True, capture_output=True, timeout=90, cwd=PROJECT, text=True
    )
    return finished.stdout


def start_workers(host: str) -> None:
    on_host(host, "systemctl start loadgen-worker@1 loadgen-worker@2")


@contextmanager
def fault(begin: list[str], end: list[str]) -> Iterator[None]:
    lab(*begin)
    try:
        yield
    finally:
        lab(*end)
