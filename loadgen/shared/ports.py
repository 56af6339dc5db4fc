"""TCP ports of this machine: which are free, and who listens on one."""

import contextlib
import socket
from dataclasses import dataclass

import psutil

LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Listener:
    """A process that listens on a port."""

    process: int
    name: str

    def __str__(self) -> str:
        """As a sentence names it."""
        return f"{self.name}, process {self.process}"


def free_port() -> int:
    """Return a TCP port that was free on loopback a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def listeners(port: int) -> list[Listener]:
    """Return the processes that listen on a TCP port, as far as this user may see them."""
    found = []
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            listens = local and local.port == port and connection.status == psutil.CONN_LISTEN
            if listens and connection.pid:
                found.append(Listener(connection.pid, psutil.Process(connection.pid).name()))
    return found
