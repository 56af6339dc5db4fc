"""Starts a local run's Python processes by forking one that has imported Locust already.

Only on Linux: elsewhere nobody takes in a child whose parent has ended, and each process is started
from nothing. See `loadgen.cluster.nursery_process` for the other end.
"""

import ctypes
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from loadgen.shared.errors import OperationError
from loadgen.shared.processes import last_telling_line
from loadgen.shared.project import PYTHON_MODULE

ROOM = "-" * 400
SET_CHILD_SUBREAPER = 36
LOOK_SECONDS = 0.01
START_SECONDS = 60.0
CLOSE_SECONDS = 5.0


class Nursery:
    """One process to fork from; `close` ends it and makes its children ours."""

    def __init__(self, log: Path) -> None:
        """Start it; it is ready for requests at once, and answers when it has imported Locust."""
        ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._log = log
        self._asking, theirs = socket.socketpair()
        self._asking.settimeout(START_SECONDS)
        with theirs, log.open("ab") as output:
            number = str(theirs.fileno())
            self._process = subprocess.Popen(
                [*PYTHON_MODULE, "loadgen.cluster.nursery_process", number, ROOM],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )

    def start(
        self, module_arguments: Sequence[str], environment: Mapping[str, str], files: Sequence[int]
    ) -> "Adopted":
        """Start a process as `python -m MODULE ARGUMENTS` would.

        `files` are descriptors of its output, of its errors, and of its lifeline if it has one.
        OperationError when the nursery is gone, or doesn't answer.
        """
        module, *arguments = module_arguments
        request = {"module": module, "arguments": arguments, "environment": dict(environment)}
        try:
            line = json.dumps(request).encode() + b"\n"
            sent = socket.send_fds(self._asking, [line], list(files))
            self._asking.sendall(line[sent:])
            answer = self._asking.recv(64)
        except OSError:
            answer = b""
        if not answer:
            raise OperationError(
                f"no process could be started within {START_SECONDS:.0f} s: "
                f"{last_telling_line(self._log) or 'Locust was still being imported'}"
            )
        return Adopted(int(answer))

    def close(self) -> None:
        """End it; what it has started goes on."""
        self._asking.close()
        try:
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once."""
        self._asking.close()
        self._process.kill()
        self._process.wait()


class Adopted:
    """A process that another of ours has forked; as much of subprocess.Popen as a Child needs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal; None while it runs."""
        if self.returncode is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:
                # The process is not a child of this one yet, because its parent still runs.
                return None
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end. subprocess.TimeoutExpired when it takes longer than `timeout`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while (code := self.poll()) is None:
            if deadline is not None and time.monotonic() >= deadline:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0.0)
            time.sleep(LOOK_SECONDS)
        return code

    def terminate(self) -> None:
        """Ask it to end."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)
