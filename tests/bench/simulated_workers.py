"""Many simulated workers in one process, to load a real master: no users, only the protocol.

    python -m tests.bench.simulated_workers KEYS PORT WORKERS NAMES SECONDS

Each connects under CURVE, answers what the master asks, and once a second sends a heartbeat and the
statistics of NAMES names. Prints JSON: how long the master took to answer heartbeats.
"""

import heapq
import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import locust
import msgpack
import zmq

from loadgen.node import channel

RESPONSE_TIMES = {10.0 + step: 5 for step in range(20)}
REQUESTS = sum(RESPONSE_TIMES.values())
WARM_UP_SECONDS = 3.0


def statistics(names: int, now: float) -> bytes:
    """Pack the data of one `stats` message, as Locust's workers and the kit's reporter fill it."""
    entries = [_entry(f"/page/{number}", now) for number in range(names)]
    total = {**_entry("Aggregated", now), "num_requests": REQUESTS * names}
    mark: dict[str, object] = {
        "test": 1,
        "sequence": 1,
        "requests": 1,
        "final": False,
        "clock": now,
    }
    mark |= {"cpu_percent": 50.0, "memory_bytes": 80_000_000, "release": ""}
    mark |= {"locust_version": locust.__version__}
    users = {"user_classes_count": {"BenchUser": 1}, "user_count": 1}
    data = {"stats": entries, "stats_total": total, "errors": {}, **users, "loadgen": mark}
    return bytes(msgpack.packb(data))


def _entry(name: str, now: float) -> dict[str, Any]:
    return {
        "name": name,
        "method": "GET",
        "last_request_timestamp": now,
        "start_time": now,
        "num_requests": REQUESTS,
        "num_none_requests": 0,
        "num_failures": 0,
        "total_response_time": 20.0 * REQUESTS,
        "max_response_time": 30.0,
        "min_response_time": 10.0,
        "total_content_length": 100 * REQUESTS,
        "response_times": RESPONSE_TIMES,
        "num_reqs_per_sec": {int(now): REQUESTS},
        "num_fail_per_sec": {},
    }


class Worker:
    """One simulated worker."""

    def __init__(self, context: "zmq.Context[zmq.Socket[bytes]]", keys: Path, port: int) -> None:
        self.identity = f"simulated_{uuid.uuid4().hex}"
        self.socket = context.socket(zmq.DEALER)
        self.socket.setsockopt(zmq.IDENTITY, self.identity.encode())
        self.socket.setsockopt(zmq.LINGER, 0)
        channel.secure_client(self.socket, keys)
        self.socket.connect(f"tcp://127.0.0.1:{port}")
        self.state = "ready"
        self.asked_at = 0.0
        self.answered: list[float] = []
        self.send("client_ready", locust.__version__)

    def send(self, kind: str, data: object) -> None:
        """Send one message as Locust packs it."""
        self.send_packed(kind, bytes(msgpack.packb(data)))

    def send_packed(self, kind: str, packed: bytes) -> None:
        """Send a message whose data is packed already."""
        ends = bytes(msgpack.packb(kind)), bytes(msgpack.packb(self.identity))
        self.socket.send(b"\x93" + ends[0] + packed + ends[1], zmq.NOBLOCK)

    def beat(self, packed: bytes) -> None:
        """Send what a worker sends every second."""
        self.asked_at = time.perf_counter()
        beat = {"state": self.state, "current_cpu_usage": 50.0, "current_memory_usage": 80_000_000}
        self.send("heartbeat", beat)
        if self.state == "running":
            self.send_packed("stats", packed)

    def receive(self) -> None:
        """Answer what the master has sent."""
        kind, data, _ = msgpack.unpackb(self.socket.recv(), strict_map_key=False)
        if kind == "heartbeat":
            self.answered.append(time.perf_counter() - self.asked_at)
        elif kind == "spawn":
            self.state = "running"
            self.send("spawning", None)
            self.send("spawning_complete", {"user_classes_count": data["user_classes_count"]})
        elif kind == "stop":
            self.state = "ready"
            self.send("client_stopped", None)
            self.send("client_ready", locust.__version__)


def main() -> None:
    """Run all workers for so many seconds, beats spread evenly over each second."""
    keys, port, count, names = Path(sys.argv[1]), *(int(word) for word in sys.argv[2:5])
    packed = statistics(names, time.time())
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    context.set(zmq.MAX_SOCKETS, count + 10)
    poller = zmq.Poller()
    workers = {}
    for _ in range(count):
        worker = Worker(context, keys, port)
        workers[worker.socket] = worker
        poller.register(worker.socket, zmq.POLLIN)
    began = time.monotonic()
    due = [(began + number / count, number) for number in range(count)]
    numbered = list(workers.values())
    until = began + float(sys.argv[5])
    while (now := time.monotonic()) < until:
        while due[0][0] <= now:
            at, number = heapq.heappop(due)
            numbered[number].beat(packed)
            heapq.heappush(due, (at + 1, number))
        for socket, _ in poller.poll(max(1, int((due[0][0] - now) * 1000))):
            workers[socket].receive()
    answered = sorted(t for worker in numbered for t in worker.answered[int(WARM_UP_SECONDS) :])
    found = {
        "answered": len(answered),
        "p50_ms": answered[len(answered) // 2] * 1000 if answered else None,
        "max_ms": answered[-1] * 1000 if answered else None,
        "running": sum(worker.state == "running" for worker in numbered),
    }
    print(json.dumps(found))
    context.destroy(linger=0)


if __name__ == "__main__":
    main()
