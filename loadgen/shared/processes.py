"""Child processes that never outlive their purpose: started apart, watched, ended by their id."""

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from loadgen.shared.project import PYTHON_MODULE

TERMINATE_SECONDS = 10.0


class Process(Protocol):
    """What a child needs of its process; subprocess.Popen has it."""

    pid: int
    returncode: int | None

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end. subprocess.TimeoutExpired when it takes longer."""
        ...

    def terminate(self) -> None:
        """Ask it to end."""
        ...


Starter = Callable[[Sequence[str], Mapping[str, str], Sequence[int]], Process]
"""Starts a module, or a command, with its arguments in an environment. The files are descriptors of
its output, of its errors, and of its lifeline, if it has one."""


def start_interpreter(
    module_arguments: Sequence[str],
    environment: Mapping[str, str],
    files: Sequence[int],
    directory: Path | None = None,
) -> Process:
    """Start a module in a Python of its own; see `Starter`."""
    words = [*PYTHON_MODULE, *module_arguments]
    for descriptor in files[2:]:
        words += ["--lifeline", str(descriptor)]
    return start_command(words, environment, files, directory)


def start_command(
    words: Sequence[str],
    environment: Mapping[str, str],
    files: Sequence[int],
    directory: Path | None = None,
) -> Process:
    """Start a program of any kind, in a session of its own; see `Starter`."""
    output, errors, *inherited = files
    return subprocess.Popen(
        words,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        env=dict(environment),
        cwd=directory,
        pass_fds=inherited,
        start_new_session=True,
    )


class Child:
    """One child process in a session of its own, its output in a log file.

    A terminal's Ctrl-C doesn't reach it: the process that starts it decides when it ends. When its
    starter dies, the pipe given as `--lifeline` closes, and the child ends by itself.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
        lifeline: bool = False,
        start: Starter = start_interpreter,
    ) -> None:
        self.name = name
        self.log = log
        self.asked_to_end = False
        self._lifeline: int | None = None
        inherited: list[int] = []
        if lifeline:
            reader, self._lifeline = os.pipe()
            inherited.append(reader)
        log.parent.mkdir(parents=True, exist_ok=True)
        try:
            with log.open("ab") as output:
                files = [output.fileno(), output.fileno(), *inherited]
                self._process = start(arguments, {**os.environ, **(environment or {})}, files)
        finally:
            for descriptor in inherited:
                os.close(descriptor)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The process's exit code, negative for the signal that ended it; None while it runs."""
        return self._process.poll()

    @property
    def fault(self) -> str | None:
        """One sentence when the process ended without being asked; None otherwise."""
        return None if self.alive or self.asked_to_end else self._how_it_ended()

    @property
    def bad_end(self) -> str | None:
        """One sentence when the process was asked to end and ended by another fault; else None."""
        good = self.alive or self.exit_code in {0, -signal.SIGTERM}
        return None if good else self._how_it_ended()

    def _how_it_ended(self) -> str:
        code = self._process.poll() or 0
        how = (
            f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit {code}"
        )
        last = last_telling_line(self.log)
        return f"{how} (process {self.pid}){': ' + last if last else ''}; its log is {self.log}"

    def terminate(self) -> None:
        """Ask the process to end."""
        self.asked_to_end = True
        if self.alive:
            self._process.terminate()

    def resume(self) -> None:
        """Let the process go on if somebody has stopped it (SIGSTOP); else nothing happens."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGCONT)

    def wait(self, timeout_seconds: float) -> bool:
        """Wait for the process to end; False when the time is over."""
        self.asked_to_end = True
        try:
            self._process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            return False
        self._close_lifeline()
        return True

    def kill(self) -> None:
        """End the process and everything it started in its session, and reap it."""
        self.asked_to_end = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()
        self._close_lifeline()

    def _close_lifeline(self) -> None:
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None


def end_all(children: Sequence[Child], timeout_seconds: float = TERMINATE_SECONDS) -> list[str]:
    """End children together, gracefully and then not; return the names that had to be killed."""
    for child in children:
        child.terminate()
    deadline = time.monotonic() + timeout_seconds
    killed = []
    for child in children:
        if not child.wait(max(0.0, deadline - time.monotonic())):
            killed.append(child.name)
            child.kill()
    return killed


def hold_lifeline(descriptor: int) -> None:
    """Send this process SIGTERM once the inherited pipe's other end closes: its starter is gone.

    Where gevent has patched the standard library, the thread is a greenlet and `select` yields.
    """

    def wait() -> None:
        select.select([descriptor], [], [])
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()


def last_telling_line(log: Path) -> str:
    """Return the last line of a log that says something: an error if there is one."""
    try:
        lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    except OSError:
        return ""
    errors = [line for line in lines if "Error" in line or "ERROR" in line]
    return (_raised(lines) or errors or lines or [""])[-1].strip()[:300]


def _raised(lines: Sequence[str]) -> list[str]:
    """Return the last line of each traceback: the exception with its text."""
    found, inside = [], False
    for line in lines:
        if line.startswith("Traceback (most recent call last)"):
            inside = True
        elif inside and not line.startswith(" "):
            found.append(line)
            inside = False
    return found
