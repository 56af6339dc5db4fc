"""The process that has imported Locust once, and forks a run's processes from itself.

    python -m loadgen.cluster.nursery_process SOCKET ROOM

It answers `loadgen.cluster.nursery` on an inherited socket: each line asks for one process, with
the files that become its output. Importing Locust takes most of a second of a core, so the look at
the locustfile, the master and the workers come from one import. It ends when the socket closes, and
its children then belong to the process that asked for them. `ROOM` is no value: its length in the
command line is where a child's own command line is written.
"""

# Importing Locust patches the standard library; what is imported before stays as it is. The socket
# of this process is a blocking one, and files close at once and not in gevent's next turn.
import socket  # isort: split

from os import close  # isort: split

import loadgen.node.__main__  # isort: split

import ctypes
import gc
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gevent.os

import loadgen.scenario  # most locustfiles do
from loadgen.node import locustfile_check

MAINS: dict[str, Callable[[list[str]], None]] = {
    "loadgen.node": loadgen.node.__main__.main,
    "loadgen.node.locustfile_check": locustfile_check.main,
}
FILES_MAX = 3
LINE_BYTES = 1 << 22


def serve(asking: socket.socket) -> dict[str, Any] | None:
    """Answer each request with a process id; return in a child with its request, or None."""
    gc.collect()
    # The garbage collector leaves existing objects alone: walking over them would copy every
    # memory page.
    gc.freeze()
    while True:
        request, files = _receive(asking)
        if request is None:
            return None
        ready, begun = os.pipe()
        pid = gevent.os.fork_gevent()
        if not pid:
            asking.close()
            _settle(request, files)
            close(ready)
            close(begun)
            return request
        close(begun)
        for file in files:
            close(file)
        # The parent may end the child's whole session at once, so the child needs one.
        os.read(ready, 1)
        close(ready)
        asking.sendall(b"%d\n" % pid)


def _receive(asking: socket.socket) -> tuple[dict[str, Any] | None, list[int]]:
    line, files = b"", []
    while not line.endswith(b"\n"):
        part, came, _, _ = socket.recv_fds(asking, LINE_BYTES, FILES_MAX)
        if not part:
            return None, []
        line += part
        files += came
    return json.loads(line), files


def _settle(request: dict[str, Any], files: list[int]) -> None:
    """Become a session of its own with the output, environment and name that were asked for."""
    os.setsid()
    for number, file in enumerate(files[:2], start=1):
        os.dup2(file, number)
        close(file)
    if len(files) == FILES_MAX:
        request["arguments"] += ["--lifeline", str(files[2])]
        os.set_inheritable(files[2], True)
    os.environ.clear()
    os.environ.update(request["environment"])
    _take_name([sys.executable, "-m", request["module"], *request["arguments"]])


def _take_name(words: list[str]) -> None:
    """Let `ps` show a command line; Linux keeps it where the kernel says."""
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    begin, end = int(fields[45]), int(fields[46])
    name = b"\0".join(map(os.fsencode, words))
    if begin and end > begin:
        room = end - begin - 1
        ctypes.memset(begin, 0, room)
        ctypes.memmove(begin, name[:room], min(len(name), room))


def main() -> None:
    """Serve until the socket closes; in a child, be what was asked for."""
    request = serve(socket.socket(fileno=int(sys.argv[1])))
    if request is None:
        # Locust has started nothing in this process, so nothing of it has to be ended.
        os._exit(0)
    sys.argv = [request["module"], *request["arguments"]]
    MAINS[request["module"]](request["arguments"])


if __name__ == "__main__":
    main()
