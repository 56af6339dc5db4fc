"""How long an edit of one line takes to its first load: on one machine, on 1 and 4 worker hosts.

    python -m tests.lab.first_load [--rounds 5] [--timeline]

The lab has to be up with four workers, and its fleet deployed. The target is here and notes when
the first request of the edited line comes. Both sides have as many worker processes, since lab
hosts share this machine's cores.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.project_start import Target
from tests.lab.fleet import INVENTORY, PROJECT, inventory_with, on_host
from tests.ports import free_port

CONTROLLER = "10.77.0.1"
LIMIT_SECONDS = 3.0
LOCUSTFILE = """
from locust import HttpUser, constant, task

class Visitor(HttpUser):
    wait_time = constant(0.5)

    @task
    def hello(self):
        self.client.get("/edit-0")
"""


class Bench:
    """One locustfile that is edited before each run."""

    def __init__(self, directory: Path, target: Target, timeline: bool) -> None:
        self.target, self.timeline = target, timeline
        self.results = directory / "results"
        self.locustfile = directory / "shop" / "locustfile.py"
        self.locustfile.parent.mkdir()
        self.locustfile.write_text(LOCUSTFILE)
        self.edits = 0

    def edit(self) -> str:
        """Change one line; return the path that it asks for."""
        before, self.edits = f"/edit-{self.edits}", self.edits + 1
        path = f"/edit-{self.edits}"
        self.locustfile.write_text(self.locustfile.read_text().replace(before, path))
        return path

    def first_load(self, workers: int, *options: str) -> float:
        """Edit, run, and return the seconds from the command to the first load."""
        path = self.edit()
        module = "tests.lab.timed_run" if self.timeline else "loadgen"
        command = [sys.executable, "-m", module, "run", "-f", str(self.locustfile)]
        command += ["--host", self.target.url, "--users", str(workers), "--run-time", "2s"]
        command += ["--spawn-rate", "100", "--results", str(self.results), *options]
        command += ["--workers", str(workers)]
        if "--inventory" not in options:
            # Another run of this machine may have the usual ones.
            for option in ("--web-port", "--master-bind-port", "--exporter-port"):
                command += [option, str(free_port())]
        began = time.monotonic()
        said = subprocess.run(
            command, cwd=PROJECT, capture_output=True, text=True, timeout=240, check=False
        )
        if path not in self.target.first:
            raise SystemExit(f"{said.stdout}{said.stderr}")
        if self.timeline:
            print(said.stderr)
        return self.target.first[path] - began


@contextmanager
def only(hosts: list[str]) -> Iterator[None]:
    """Stop the other hosts' workers, which would join."""
    others = [name for name in ("worker1", "worker2", "worker3", "worker4") if name not in hosts]
    for name in others:
        on_host(name, "systemctl stop loadgen-worker@1 loadgen-worker@2")
    try:
        yield
    finally:
        for name in others:
            on_host(name, "systemctl start loadgen-worker@1 loadgen-worker@2")


def measure(what: str, rounds: int, once: Callable[[], float]) -> float:
    """Print the rounds and their median, which is returned."""
    found = [once() for _ in range(rounds)]
    middle = statistics.median(found)
    print(f"{what}: {middle:.1f} s ({', '.join(f'{one:.1f}' for one in found)})", flush=True)
    return middle


def compare(bench: Bench, directory: Path, hosts: list[str], rounds: int) -> float:
    """Return how much longer a fleet of these hosts takes than this machine."""

    def without_others(text: str) -> str:
        kept, skip = [], False
        for line in text.splitlines(keepends=True):
            name = line.strip().rstrip(":")
            if name.startswith("worker") and name[6:].isdigit():
                skip = name not in hosts
            elif skip and "ansible_host" not in line:
                skip = False
            if not skip:
                kept.append(line)
        return "".join(kept)

    inventory = inventory_with(directory / f"with-{len(hosts)}", without_others)
    workers = 2 * len(hosts)
    with only(hosts):
        here = measure(f"one machine, {workers} workers", rounds, lambda: bench.first_load(workers))
        there = measure(
            f"{len(hosts)} worker hosts, {workers} workers",
            rounds,
            lambda: bench.first_load(workers, "--inventory", str(inventory)),
        )
    print(f"a fleet of {len(hosts)} worker hosts takes {there - here:+.1f} s", flush=True)
    return there - here


def main() -> int:
    """Measure; 1 when a fleet takes more than the limit longer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--timeline", action="store_true", help="print what each run waits for")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        bench = Bench(directory, Target(CONTROLLER), options.timeline)
        fleets = (["worker1"], ["worker1", "worker2", "worker3", "worker4"])
        longer = [compare(bench, directory, hosts, options.rounds) for hosts in fleets]
    return int(max(longer) > LIMIT_SECONDS)


if __name__ == "__main__":
    assert INVENTORY.exists(), "bring the lab up with make lab LAB_WORKERS=4, then make deploy"
    sys.exit(main())
