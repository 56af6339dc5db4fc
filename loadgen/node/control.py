"""Controls a master from its own machine: one request and one answer, over a Unix socket.

    stop     stop the load gracefully; answers at once, the final snapshot tells when it is done
    quit     stop, ask the workers to quit, write the reports, end the process
    status   answer with the runner's state

The socket lies in the node's state directory, which only the kit's own user can enter.
`python -m loadgen.node.control ENDPOINT COMMAND` asks from a shell, at little cost.
"""

import json
import sys

import zmq

REQUESTS = ("stop", "quit", "status")
ANSWER_BYTES_MAX = 1 << 16


def request(endpoint: str, command: str, timeout_seconds: float = 5.0) -> dict[str, str]:
    """Send one request to a master and return its answer. Raises TimeoutError without one."""
    with zmq.Context() as context, context.socket(zmq.REQ) as socket:
        socket.linger = 0
        # Anybody who can write to the socket's directory could answer in its place.
        socket.setsockopt(zmq.MAXMSGSIZE, ANSWER_BYTES_MAX)
        socket.connect(endpoint)
        socket.send_json({"command": command})
        if not socket.poll(int(timeout_seconds * 1000)):
            raise TimeoutError(f"the master did not answer '{command}' within {timeout_seconds} s")
        return _read(socket.recv(), command)


def _read(answer: bytes, command: str) -> dict[str, str]:
    try:
        read = json.loads(answer)
    except (ValueError, RecursionError):
        read = None
    if not isinstance(read, dict) or not all(isinstance(one, str) for one in read.values()):
        raise TimeoutError(f"the answer to '{command}' did not come from the master")
    return read


if __name__ == "__main__":
    try:
        print(request(sys.argv[1], sys.argv[2]).get("state", "unknown"))
    except TimeoutError as silence:
        sys.exit(str(silence))
