"""Free ports for tests, from a range that each parallel test process has for itself.

Below the kernel's range for outgoing connections: a client that keeps trying a port of that range
may meet itself there and hold the port.
"""

import itertools
import os
import socket
from collections.abc import Iterator

FIRST, LAST = 12_000, 32_000
PROCESSES = 10


def _range() -> range:
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % PROCESSES
    width = (LAST - FIRST) // PROCESSES
    first = FIRST + number * width
    return range(first, first + width)


def _forever(numbers: range) -> Iterator[int]:
    # Two suites at once on one machine begin at different places.
    begin = os.getpid() * 131 % len(numbers)
    return itertools.cycle([*numbers[begin:], *numbers[:begin]])


_candidates = _forever(_range())


def free_port() -> int:
    """Return a TCP port that nobody listens on now, and that is not given out again soon."""
    for port in itertools.islice(_candidates, LAST - FIRST):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError(f"no free port between {FIRST} and {LAST}")


def free_ports(count: int) -> list[int]:
    """Return as many different ones."""
    return [free_port() for _ in range(count)]
