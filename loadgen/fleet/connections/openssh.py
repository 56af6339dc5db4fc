"""A Fabric connection that OpenSSH carries: where Ansible gets, it gets, in the same way.

One ssh process a node logs in, with the words that Ansible would give it, and stays; each command
is a session over it (ControlPath). So OpenSSH alone reads ~/.ssh/config, asks agents, keys and
tokens, goes by jump hosts and checks host keys; nothing here imitates it. Fabric's `run` works on
such a connection as on one of its own.
"""

import contextlib
import os
import re
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import fabric
import paramiko

from loadgen.fleet.connections.sessions import (
    CHUNK_BYTES,
    CLOSE_SECONDS,
    LoginError,
    Process,
    Session,
    end,
    number,
    start,
)
from loadgen.fleet.inventory import Node

CONNECT_SECONDS = 10
LOGIN_SECONDS = 30.0
BUSY_PAUSES_SECONDS = (0.5, 2.0)
_BUSY = re.compile(r"kex_exchange_identification|Connection (reset|closed) by")
"""What a bastion's MaxStartups looks like from here, when a hundred hosts are behind it."""
OPENED = "LOADGEN-CONNECTED"
# The node's own shell may print before it; the input stays open as long as this machine lives.
STAY = f"/bin/sh -c 'echo {OPENED}; exec cat >/dev/null'"
# These options come first, so that they take precedence; they configure the session, and not the
# way to the host.
HOLDING = (
    *(f"ConnectTimeout={CONNECT_SECONDS}", "ServerAliveInterval=5", "ServerAliveCountMax=12"),
    *("RequestTTY=no", "RemoteCommand=none", "ClearAllForwardings=yes", "LogLevel=INFO"),
)


class Connection(fabric.Connection):  # type: ignore[misc]  # Fabric has no types
    """A connection to one node. LoginError: OpenSSH can't log in."""

    # Named here, for Fabric takes an attribute that a class doesn't name for configuration.
    node: Node = Node("", "", "")
    master: Process | None = None
    directory: Path | None = None

    def __init__(self, node: Node) -> None:
        super().__init__(node.address, config=fabric.Config(ssh_config=paramiko.SSHConfig()))
        self.node = node

    @property
    def is_connected(self) -> bool:
        """Whether the process that logged in still runs; this machine is always connected."""
        return not self.node.ssh or (self.master is not None and self.master.poll() is None)

    def open(self) -> None:
        """Log in, unless that is done; a server with too many at its door is asked again."""
        for pause_seconds in BUSY_PAUSES_SECONDS:
            try:
                return self._open()
            except LoginError as error:
                if not _BUSY.search(str(error)) or "open failed" in str(error):
                    raise
            time.sleep(pause_seconds)
        return self._open()

    def _open(self) -> None:
        if self.is_connected:
            return
        self.close()
        self.directory = Path(tempfile.mkdtemp(prefix="loadgen-ssh-", dir=_short_directory()))
        said = self.directory / "said"
        self.master = self._log_in(said)
        if _is_opened(self.master):
            return
        self._drop_master()
        text = said.read_text(errors="replace").strip()
        self.close()
        raise LoginError(text)

    def _log_in(self, said: Path) -> Process:
        held = ("ControlMaster=yes", "ControlPersist=no")
        with said.open("wb") as errors, contextlib.ExitStack() as stack:
            if self.node.ssh_password:
                reader, first = _sshpass(self.node.sshpass, self.node.ssh_password)
                stack.callback(os.close, reader)
                words = [*first, *self._ssh(held), self.node.address, STAY]
                passed = (reader,)
                return start(words, stdout=subprocess.PIPE, stderr=errors, pass_fds=passed)
            words = [*self._ssh((*held, "BatchMode=yes")), self.node.address, STAY]
            return start(words, stdout=subprocess.PIPE, stderr=errors)

    def _ssh(self, held: Sequence[str]) -> list[str]:
        program, *own = self.node.ssh
        path = f"ControlPath={self.directory}/ssh"
        ours = [word for option in (*held, path, *HOLDING) for word in ("-o", option)]
        return [program, *ours, *own]

    def create_session(self) -> Session:
        """Begin a session over the connection, which is opened first."""
        self.open()
        return Session(
            [*self._ssh(["ControlMaster=no"]), self.node.address] if self.node.ssh else []
        )

    def close(self) -> None:
        """Log out; safe at any time."""
        self._drop_master()
        if self.directory is not None:
            shutil.rmtree(self.directory, ignore_errors=True)
        self.directory = None

    def _drop_master(self) -> None:
        master, self.master = self.master, None
        if master is not None:
            end(master)


def _sshpass(words: Sequence[str], password: str) -> tuple[int, list[str]]:
    """Return a descriptor to read the password from, and sshpass's words with it."""
    reader, writer = os.pipe()
    os.write(writer, f"{password}\n".encode())
    os.close(writer)
    return reader, [f"-d{reader}" if word.startswith("-d") else word for word in words]


def _is_opened(master: Process) -> bool:
    """Wait until the login is done or refused."""
    deadline, said, poll = time.monotonic() + LOGIN_SECONDS, b"", select.poll()
    poll.register(number(master.stdout), select.POLLIN)
    while OPENED.encode() not in said:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return False
        chunk = os.read(number(master.stdout), CHUNK_BYTES)
        if not chunk:
            with contextlib.suppress(subprocess.TimeoutExpired):
                master.wait(CLOSE_SECONDS)
            return False
        said += chunk
    if master.stdout:
        master.stdout.close()
    return True


def _short_directory() -> str | None:
    # A socket's path has at most 107 bytes, and OpenSSH adds some while it makes one.
    return "/tmp" if len(tempfile.gettempdir()) > 50 else None  # noqa: S108 - mkdtemp's is private
