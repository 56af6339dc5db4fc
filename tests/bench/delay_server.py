"""An HTTP server with known delays: it holds each response back, and knows for how long it did.

Run as `python tests/bench/delay_server.py PORT TRUTH`. A request is answered after 2 ms, every 50th
after 20 ms. On SIGTERM the delays as they really were, from the moment a request was read to the
moment its response was sent, go to the file TRUTH: JSON, seconds, sorted.
"""

import heapq
import itertools
import json
import select
import signal
import socket
import sys
from pathlib import Path
from time import perf_counter

SHORT_SECONDS, LONG_SECONDS, EVERY = 0.002, 0.02, 50
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"


class DelayServer:
    """One epoll loop; responses wait in a heap until they are due."""

    def __init__(self, port: int) -> None:
        self._listener = socket.create_server(("127.0.0.1", port), backlog=4096)
        self._listener.setblocking(False)
        self._poll = select.epoll()
        self._poll.register(self._listener, select.EPOLLIN)
        self._socks: dict[int, socket.socket] = {}
        self._due: list[tuple[float, int, float, socket.socket]] = []
        self._counter = itertools.count(1)
        self.delays: list[float] = []
        self.running = True

    def run(self) -> None:
        while self.running:
            wait = self._due[0][0] - perf_counter() if self._due else 0.1
            for number, _ in self._poll.poll(max(wait - 0.0005, 0)):
                self._read(number)
            self._answer()

    def _read(self, number: int) -> None:
        if number == self._listener.fileno():
            sock, _ = self._listener.accept()
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socks[sock.fileno()] = sock
            self._poll.register(sock, select.EPOLLIN)
            return
        sock = self._socks[number]
        try:
            data = sock.recv(65536)
        except ConnectionError:
            data = b""
        now = perf_counter()
        if not data:
            self._poll.unregister(sock)
            self._socks.pop(number).close()
            return
        count = next(self._counter)
        delay = SHORT_SECONDS if count % EVERY else LONG_SECONDS
        heapq.heappush(self._due, (now + delay, count, now, sock))

    def _answer(self) -> None:
        now = perf_counter()
        while self._due and self._due[0][0] <= now:
            _, _, received, sock = heapq.heappop(self._due)
            if sock.fileno() < 0:
                continue
            self.delays.append(perf_counter() - received)
            try:
                sock.send(RESPONSE)
            except OSError:
                self.delays.pop()


def main() -> None:
    """Serve until SIGTERM, then write the truth."""
    server = DelayServer(int(sys.argv[1]))
    signal.signal(signal.SIGTERM, lambda *_: setattr(server, "running", False))
    server.run()
    Path(sys.argv[2]).write_text(json.dumps(sorted(server.delays)))


if __name__ == "__main__":
    main()
