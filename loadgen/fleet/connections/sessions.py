"""One command on a node: a process of OpenSSH's, which is read and written without waiting."""

import contextlib
import os
import select
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

Process = subprocess.Popen[bytes]
CLOSE_SECONDS = 2.0
CHUNK_BYTES = 1 << 16


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
            raise RuntimeError("no command was started in this SSH session")
        return self._process

    def exec_command(self, command: str) -> None:
        """Start the command."""
        words = [*self._words, command] if self._words else ["/bin/sh", "-c", command]
        self._process = start(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        os.set_blocking(number(self._process.stdin), False)

    def send(self, content: bytes, more: Iterable[bytes] = (), last: bool = False) -> None:
        """Have this sent by `receive`, which closes the input after the `last`.

        Of `more` the next piece is asked for when the one before is gone.
        """
        self._unsent += content
        self._more = iter(more)
        self._is_last = self._is_last or last

    def receive(self, timeout: float) -> Iterator[tuple[bool, bytes]]:
        """Yield (whether it is an error, chunk) until both streams end; sends meanwhile.

        `timeout` is the longest silence in seconds; TimeoutError after it. Errors break no silence,
        since a host could say them without end. Whoever goes on sending in between may set another
        one.
        """
        self.timeout, heard = timeout, time.monotonic()
        errors = number(self.process.stderr)
        poll = select.poll()
        open_streams = {number(self.process.stdout), errors}
        for stream in open_streams:
            poll.register(stream, select.POLLIN)
        while open_streams:
            self._watch_input(poll)
            left = heard + self.timeout - time.monotonic()
            if left <= 0 or not (ready := poll.poll(left * 1000)):
                raise TimeoutError
            for stream, _ in ready:
                if stream not in open_streams:
                    self._write()
                    heard = time.monotonic()
                elif chunk := os.read(stream, CHUNK_BYTES):
                    yield stream == errors, chunk
                    heard = heard if stream == errors else time.monotonic()
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
            sent = os.write(number(self.process.stdin), self._unsent[:CHUNK_BYTES])
        except BlockingIOError:
            return
        except BrokenPipeError:
            # The command ended without reading all of it; its exit status tells the rest.
            sent, self._is_last, self._more = len(self._unsent), True, iter(())
        del self._unsent[:sent]

    def recv(self, size: int) -> bytes:
        """Wait for output; empty when it ended."""
        return os.read(number(self.process.stdout), size)

    def recv_stderr(self, size: int) -> bytes:
        """Wait for errors; empty when they ended."""
        return os.read(number(self.process.stderr), size)

    def sendall(self, content: bytes | str) -> None:
        """Send now."""
        pipe = number(self.process.stdin)
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
            end(self._process)


def start(words: Sequence[str], **streams: Any) -> Process:  # noqa: ANN401 - Popen's own
    """Start a program with an input to write to."""
    # In a session of its own: Ctrl-C in a terminal is for the run, which still has to stop over it.
    return subprocess.Popen(words, stdin=subprocess.PIPE, start_new_session=True, **streams)


def end(process: Process) -> None:
    """Close a program's streams; it ends by itself, or is ended."""
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


def number(stream: Any) -> int:  # noqa: ANN401 - Popen's streams are of many types
    """Return a stream's file descriptor."""
    number: int = stream.fileno()
    return number
