"""Runs of the real command: real Locust, real sockets, and a look at what stays behind."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from tests import busy_machine
from tests.ports import free_ports
from tests.waiting import await_

PROJECT = Path(__file__).resolve().parents[2]
HARD_TIMEOUT_SECONDS = 120
MARKER = "LOADGEN_TEST_MARKER"


def processes_marked(marker: str) -> list[str]:
    """Return the command lines of processes that descend from a marked one."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (entry / "environ").read_bytes():
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


@dataclass
class Run:
    """One `loadgen` process under test, its output read as it comes."""

    process: subprocess.Popen[str]
    marker: str
    results: Path
    web_port: int
    worker_port: int
    exporter_port: int
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, pattern: str, timeout: float = 60) -> None:
        """Wait until the output matches."""
        deadline = time.monotonic() + timeout
        while not re.search(pattern, self.output):
            assert time.monotonic() < deadline, f"no {pattern!r} within {timeout} s:\n{self.output}"
            if self.process.poll() is not None:
                self._reader.join(10)
                assert re.search(pattern, self.output), f"ended without {pattern!r}:\n{self.output}"
            time.sleep(0.05)

    def wait(self) -> int:
        """Wait for the end; return the exit code."""
        code = self.process.wait(HARD_TIMEOUT_SECONDS)
        self._reader.join(10)
        return code

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> None:
        self.process.send_signal(number)

    def pids(self, role: str) -> list[int]:
        """Return the process ids of this run's masters or workers."""
        pids = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes().split(b"\0")
                marked = self.marker.encode() in (entry / "environ").read_bytes()
            except OSError:
                continue
            if marked and b"loadgen.node" in command and role.encode() in command:
                pids.append(int(entry.name))
        return pids

    @property
    def directory(self) -> Path:
        return (self.results / "latest").resolve()

    @property
    def summary(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads((self.directory / "summary.json").read_text())
        return loaded

    def logs(self) -> str:
        """Return every log of the run, for a failing test's message."""
        logs = sorted(self.results.glob("[!l]*/hosts/*/*.log"))
        return "\n".join(f"--- {log}\n{log.read_text()}" for log in logs)


class Runner:
    """Starts `loadgen run` with ports and directories of its own."""

    def __init__(self, tmp_path: Path) -> None:
        self.tmp_path = tmp_path
        # Sockets lie in it, and a socket's path is short.
        self.temporary = Path(tempfile.mkdtemp(prefix="lg-"))
        self.runs: list[Run] = []

    def start(
        self,
        *arguments: str,
        results: Path | None = None,
        prefix: tuple[str, ...] = (),
        **ports: int,
    ) -> Run:
        results = results or self.tmp_path / "results"
        web, worker, exporter = free_ports(3)
        web = ports.get("web_port", web)
        command = [*prefix, sys.executable, "-m", "loadgen", "run", "--results", str(results)]
        command += ["--web-port", str(web), "--master-bind-port", str(worker)]
        command += ["--exporter-port", str(exporter), *arguments]
        return self._spawn(command, results, (web, worker, exporter))

    def verb(self, *arguments: str, directory: Path | None = None, **environment: str) -> Run:
        """Start another verb of the command in a directory, the test's if none is given."""
        place = directory or self.tmp_path
        command = [sys.executable, "-m", "loadgen", *arguments]
        return self._spawn(command, place / "results", (0, 0, 0), place, environment)

    def shell(self, line: str, directory: Path, **environment: str) -> Run:
        """Start a line of a shell in a project's directory, as a CI does."""
        command = ["bash", "-ec", f"exec {line}"]
        return self._spawn(command, directory / "results", (0, 0, 0), directory, environment)

    def _spawn(
        self,
        command: list[str],
        results: Path,
        ports: tuple[int, int, int],
        directory: Path | None = None,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> Run:
        marker = f"marker-{uuid.uuid4().hex}"
        process = subprocess.Popen(
            command,
            cwd=directory or self.tmp_path,
            env={
                **os.environ,
                **environment,
                MARKER: marker,
                "TMPDIR": str(self.temporary),
                "COLUMNS": "200",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        run = Run(process, marker, results, *ports)
        self.runs.append(run)
        return run

    def finish(self, *arguments: str, results: Path | None = None) -> tuple[int, Run]:
        run = self.start(*arguments, results=results)
        return run.wait(), run

    def check_nothing_left(self) -> None:
        for run in self.runs:
            self._await_end(run)
        assert not self.runs or not list(self.temporary.iterdir()), "a directory stayed behind"

    def _await_end(self, run: Run) -> None:
        try:
            await_(lambda: not processes_marked(run.marker), "the end of every process")
        except AssertionError:
            left = processes_marked(run.marker)
            raise AssertionError(f"processes left behind: {left}\n{run.output}") from None

    def end(self) -> None:
        for run in self.runs:
            if run.process.poll() is None:
                run.process.kill()
                run.wait()
            assert run.process.stdout
            run.process.stdout.close()
        shutil.rmtree(self.temporary, ignore_errors=True)


@contextlib.contextmanager
def running(directory: Path) -> Iterator[Runner]:
    """Give a runner; at the end no process and no temporary directory may be left."""
    runner = Runner(directory)
    try:
        with busy_machine.watched(directory):
            yield runner
        runner.check_nothing_left()
    finally:
        runner.end()


@pytest.fixture
def loadgen(tmp_path: Path) -> Iterator[Runner]:
    """A runner for one test."""
    with running(tmp_path) as runner:
        yield runner


@pytest.fixture(scope="module")
def shared_loadgen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """A runner whose runs several tests of a module look at."""
    with running(tmp_path_factory.mktemp("shared")) as runner:
        yield runner
