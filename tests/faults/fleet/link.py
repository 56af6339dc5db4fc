"""A bad line to a lab host: its packets pass through this process, which holds some of them back.

    bridge ── near ═ veth ═ far ─┤ Line ├─ lg-HOST ═ veth ═ eth0 of the host

It does what netem does on kernels that have it: whole frames are delayed or overtaken, so that TCP
itself meets the delay and the reordering. Each frame keeps its virtio header, which carries what
the kernel has left undone of checksums and segments.
"""

import heapq
import itertools
import random
import selectors
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

BRIDGE = "loadgen0"
NEAR, FAR = "lg-near", "lg-far"
SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
ETH_P_ALL = 3
LARGEST_FRAME = 1 << 17
OVERTAKEN_SECONDS = 0.02


def ip(*words: str) -> None:
    subprocess.run(["ip", "link", *words], check=True, timeout=10)


class Line:
    """Hands frames on between two interfaces, each `delay_seconds` later, some still later.

    `ratio` of the frames are held back for OVERTAKEN_SECONDS more; `overtaken` counts those that
    left after one that had come later.
    """

    def __init__(self, ends: tuple[str, str], delay_seconds: float, ratio: float) -> None:
        self.overtaken = 0
        self._delay, self._ratio = delay_seconds, ratio
        self._random = random.Random(1)
        self._numbers = itertools.count()
        self._held: list[tuple[float, int, int, bytes]] = []
        self._newest = [0, 0]
        self._ended = threading.Event()
        self._sockets = [self._open(name) for name in ends]
        self._thread = threading.Thread(target=self._run, name="line")
        self._thread.start()

    @staticmethod
    def _open(name: str) -> socket.socket:
        end = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        end.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        end.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        end.bind((name, ETH_P_ALL))
        end.setblocking(False)
        return end

    def end(self) -> None:
        self._ended.set()
        self._thread.join(10)
        for end in self._sockets:
            end.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for number, end in enumerate(self._sockets):
                selector.register(end, selectors.EVENT_READ, number)
            while not self._ended.is_set():
                due = self._held[0][0] - time.monotonic() if self._held else 0.1
                for key, _ in selector.select(max(0.0, min(0.1, due))):
                    self._take(key.data)
                self._let_go()

    def _take(self, number: int) -> None:
        while True:
            try:
                frame = self._sockets[number].recv(LARGEST_FRAME)
            except BlockingIOError:
                return
            later = OVERTAKEN_SECONDS if self._random.random() < self._ratio else 0.0
            due = time.monotonic() + self._delay + later
            heapq.heappush(self._held, (due, next(self._numbers), 1 - number, frame))

    def _let_go(self) -> None:
        while self._held and self._held[0][0] <= time.monotonic():
            _, order, number, frame = heapq.heappop(self._held)
            self.overtaken += order < self._newest[number]
            self._newest[number] = max(order, self._newest[number])
            try:
                self._sockets[number].send(frame)
            except OSError:
                continue  # as on a wire: what can't be sent is lost


@contextmanager
def bad_line(host: str, delay_seconds: float = 0.0, ratio: float = 0.0) -> Iterator[Line]:
    """Put a bad line between a lab host and the others while the block runs."""
    own = f"lg-{host}"
    ip("add", NEAR, "type", "veth", "peer", "name", FAR)
    try:
        # This machine must not answer in the place of who is asked.
        for name in (own, FAR):
            ip("set", name, "arp", "off", "promisc", "on")
        ip("set", FAR, "up")
        ip("set", NEAR, "master", BRIDGE, "up")
        line = Line((own, FAR), delay_seconds, ratio)
        ip("set", own, "nomaster")
        try:
            yield line
        finally:
            line.end()
    finally:
        ip("set", own, "arp", "on", "promisc", "off", "master", BRIDGE)
        ip("delete", NEAR)
