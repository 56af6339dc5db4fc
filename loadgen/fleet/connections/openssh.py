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
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import fabric
import paramiko

from loadgen.fleet.inventory import Node

Process = subprocess.Popen[bytes]
CONNECT_SECONDS = 10
LOGIN_SECONDS = 30.0
CLOSE_SECONDS = 2.0
CHUNK_BYTES = 1 << 16
BUSY_PAUSES_SECONDS = (0.5, 2.0)
_BUSY = re.compile(r"kex_exchange_identification|Connection (reset|closed) by")
"""What a bastion's MaxStartups looks like from here, when a hundred hosts are behind it."""
OPENED = "LOADGEN-CONNECTED"
# The node's own shell may print before it; the input stays open as long as this machine lives.
STAY = f"/bin/sh -c 'echo {OPENED}; exec cat >/dev/null'"
# They come first, so that they win; they say how a session is held, not how one gets there.
HOLDING = (
    *(f"ConnectTimeout={CONNECT_SECONDS}", "ServerAliveInterval=5", "ServerAliveCountMax=12"),
    *("RequestTTY=no", "RemoteCommand=none", "ClearAllForwardings=yes", "LogLevel=INFO"),
)


class LoginError(Exception):
    """OpenSSH could not log in; the text is what it said."""


class Session:
    """One command over a connection, with what Fabric calls of paramiko's Channel.

    Without `words` it is a command of this machine.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.timeout = 0.0
        self._words = list(words)
        self._process: Process | None = None
        self._unsent = bytearray()
        self._more: Iterator[bytes] = iter(())
        self._is_last = False

    @property
    def process(self) -> Process:
        """The process of this session."""
        if self._process is None:
            raise paramiko.SSHException("no command was started in this session")
        return self._process

    def exec_command(self, command: str) -> None:
        """Start the command."""
        words = [*self._words, command] if self._words else ["/bin/sh", "-c", command]
        self._process = _start(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.set_blocking(_number(self._process.stdin), False)

    def send(self, content: bytes, more: Iterable[bytes] = (), last: bool = False) -> None:
        """Have this sent by `receive`, which closes the input after the `last`.

        Of `more` the next piece is asked for when the one before is gone.
        """
        self._unsent += content
        self._more = iter(more)
        self._is_last = self._is_last or last

    def receive(self, timeout: float) -> Iterator[tuple[bool, bytes]]:
        """Yield (whether it is an error, chunk) until both streams end; sends meanwhile.

        `timeout` is the longest silence in seconds; TimeoutError after it. Whoever goes on sending
        in between may set another one.
        """
        self.timeout = timeout
        errors = _number(self.process.stderr)
        poll = select.poll()
        open_streams = {_number(self.process.stdout), errors}
        for stream in open_streams:
            poll.register(stream, select.POLLIN)
        while open_streams:
            self._watch_input(poll)
            ready = poll.poll(self.timeout * 1000)
            if not ready:
                raise TimeoutError
            for stream, _ in ready:
                if stream not in open_streams:
                    self._write()
                elif chunk := os.read(stream, CHUNK_BYTES):
                    yield stream == errors, chunk
                else:
                    poll.unregister(stream)
                    open_streams.discard(stream)

    def _watch_input(self, poll: "select.poll") -> None:
        pipe = self.process.stdin
        if pipe is None or pipe.closed:
            return
        if not self._unsent:
            self._unsent += next(self._more, b"")
        if self._unsent:
            poll.register(pipe, select.POLLOUT)
            return
        with contextlib.suppress(KeyError):
            poll.unregister(pipe)
        if self._is_last:
            self.shutdown_write()

    def _write(self) -> None:
        try:
            sent = os.write(_number(self.process.stdin), self._unsent[:CHUNK_BYTES])
        except BlockingIOError:
            return
        except BrokenPipeError:
            # The command ended without reading all of it; its exit status tells the rest.
            sent, self._is_last, self._more = len(self._unsent), True, iter(())
        del self._unsent[:sent]

    def recv(self, size: int) -> bytes:
        """Wait for output; empty when it ended."""
        return os.read(_number(self.process.stdout), size)

    def recv_stderr(self, size: int) -> bytes:
        """Wait for errors; empty when they ended."""
        return os.read(_number(self.process.stderr), size)

    def sendall(self, content: bytes | str) -> None:
        """Send now."""
        pipe = _number(self.process.stdin)
        os.set_blocking(pipe, True)
        left = content.encode() if isinstance(content, str) else content
        while left:
            left = left[os.write(pipe, left) :]

    def shutdown_write(self) -> None:
        """Close the command's input."""
        if self.process.stdin:
            with contextlib.suppress(OSError):
                self.process.stdin.close()

    def exit_status_ready(self) -> bool:
        """Whether the command has ended."""
        return self.process.poll() is not None

    def recv_exit_status(self) -> int:
        """Wait for the command's end; 255 is also OpenSSH's own fault."""
        return self.process.wait()

    def close(self) -> None:
        """End the session; what runs there gets a closed input and output."""
        if self._process is not None:
            _end(self._process)


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
                return _start(words, stdout=subprocess.PIPE, stderr=errors, pass_fds=passed)
            words = [*self._ssh((*held, "BatchMode=yes")), self.node.address, STAY]
            return _start(words, stdout=subprocess.PIPE, stderr=errors)

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
            _end(master)


def resolved(node: Node) -> dict[str, list[str]]:
    """Return what OpenSSH makes of its configuration for a node: option → values."""
    if not node.ssh:
        return {}
    command = [node.ssh[0], "-G", *node.ssh[1:], node.address]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    found: dict[str, list[str]] = {}
    for line in told.stdout.splitlines():
        name, _, value = line.partition(" ")
        found.setdefault(name, []).append(value)
    return found


def _start(words: Sequence[str], **streams: Any) -> Process:  # noqa: ANN401 - Popen's own
    # In a session of its own: Ctrl-C in a terminal is for the run, which still has to stop over it.
    return subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True, **streams)


def _sshpass(words: Sequence[str], password: str) -> tuple[int, list[str]]:
    """Return a descriptor to read the password from, and sshpass's words with it."""
    reader, writer = os.pipe()
    os.write(writer, f"{password}\n".encode())
    os.close(writer)
    return reader, [f"-d{reader}" if word.startswith("-d") else word for word in words]


def _is_opened(master: Process) -> bool:
    """Wait until the login is done or refused."""
    deadline, said, poll = time.monotonic() + LOGIN_SECONDS, b"", select.poll()
    poll.register(_number(master.stdout), select.POLLIN)
    while OPENED.encode() not in said:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return False
        chunk = os.read(_number(master.stdout), CHUNK_BYTES)
        if not chunk:
            with contextlib.suppress(subprocess.TimeoutExpired):
                master.wait(CLOSE_SECONDS)
            return False
        said += chunk
    if master.stdout:
        master.stdout.close()
    return True


def _end(process: Process) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(CLOSE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _short_directory() -> str | None:
    # A socket's path has at most 107 bytes, and OpenSSH adds some while it makes one.
    return "/tmp" if len(tempfile.gettempdir()) > 50 else None  # noqa: S108 - mkdtemp's is private


def _number(stream: Any) -> int:  # noqa: ANN401 - Popen's streams are of many types
    number: int = stream.fileno()
    return number
