"""How much longer a run on this machine takes to start beside a large project than beside nothing.

    python -m tests.bench.project_start [--rounds 5]

The large project has 500 MB of data, a virtual environment, a repository and 200 results. Printed
is the time from the command to the target's first request; 1 s more is what it may be.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.ports import free_port

LIMIT_SECONDS = 1.0
DATA_FILES, DATA_MB = 50, 10
RESULTS = 200
LOCUSTFILE = """
from locust import HttpUser, constant, task

class Visitor(HttpUser):
    wait_time = constant(0.5)

    @task
    def hello(self):
        self.client.get("/load-{run}")
"""


class Target:
    """Answers everything, and notes when each path was asked for first."""

    def __init__(self, address: str) -> None:
        self.first: dict[str, float] = {}
        noted = self.first

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                noted.setdefault(self.path, time.monotonic())
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer((address, 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://{address}:{self.server.server_port}"


def fill(project: Path) -> None:
    """Put beside a locustfile what projects have there."""
    data = project / "data"
    data.mkdir(parents=True)
    for number in range(DATA_FILES):
        (data / f"{number}.bin").write_bytes(os.urandom(DATA_MB << 20))
    subprocess.run([sys.executable, "-m", "venv", str(project / "venv")], check=True)
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    for number in range(RESULTS):
        kept = project / "results" / f"run-{number}"
        kept.mkdir(parents=True)
        (kept / "stats.csv").write_text("a,b\n" * 1000)


def first_load(project: Path, target: Target, run: int) -> float:
    """Run from a project; return the seconds from the command to the first load."""
    (project / "locustfile.py").write_text(LOCUSTFILE.replace("{run}", str(run)))
    command = [sys.executable, "-m", "loadgen", "run", "-f", "locustfile.py", "--host", target.url]
    command += ["--users", "2", "--workers", "1", "--run-time", "1s", "--quiet"]
    for option in ("--web-port", "--master-bind-port", "--exporter-port"):
        command += [option, str(free_port())]
    began = time.monotonic()
    said = subprocess.run(
        command, cwd=project, capture_output=True, text=True, timeout=120, check=False
    )
    path = f"/load-{run}"
    if path not in target.first:
        raise SystemExit(said.stdout + said.stderr)
    return target.first[path] - began


def main() -> int:
    """Measure both in turn; 1 when the large project costs more than the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    target = Target("127.0.0.1")
    with tempfile.TemporaryDirectory() as name:
        bare, large = Path(name) / "bare", Path(name) / "large"
        bare.mkdir()
        fill(large)
        found: dict[Path, list[float]] = {bare: [], large: []}
        for run in range(2 * rounds):
            project = (bare, large)[run % 2]
            found[project].append(first_load(project, target, run))
    first = {large: found[large].pop(0)}
    found[bare].pop(0)
    alone, beside = (statistics.median(found[one]) for one in (bare, large))
    for project in (bare, large):
        print(f"{project.name}: {', '.join(f'{one:.2f}' for one in found[project])}")
    print(f"first load beside nothing after {alone:.2f} s, beside 500 MB after {beside:.2f} s")
    print(f"that is {beside - alone:+.2f} s; the first run there took {first[large]:.2f} s")
    return int(beside - alone > LIMIT_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
