"""A thread that hears snapshots and hands them to the collector; it reconnects by itself."""

import threading

import zmq

from exporter.collector import LocustCollector
from exporter.compatible import CompatibleNames
from exporter.keeping import KeptFiles
from loadgen.shared.snapshot import unpack

POLL_MS = 100
QUEUED_SNAPSHOTS = 100


class Receiver:
    """Subscribes to one publisher; `stop` takes in what has arrived before it returns."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        endpoint: str,
        collector: LocustCollector,
        kept: KeptFiles,
        compatible: CompatibleNames | None,
    ) -> None:
        self._socket = context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.RCVHWM, QUEUED_SNAPSHOTS)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.SUBSCRIBE, b"")
        self._socket.connect(endpoint)
        self._collector = collector
        self._kept = kept
        self._compatible = compatible
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="receiver", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Take in what has arrived, then end."""
        self._ended.set()
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            if self._socket.poll(POLL_MS):
                self._take(self._socket.recv())
        while self._socket.poll(0):
            self._take(self._socket.recv())

    def _take(self, message: bytes) -> None:
        try:
            snapshot = unpack(message)
            another_epoch = self._collector.update(snapshot)
        except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError):
            # Whatever a master sends, the next snapshot is still received.
            self._collector.refuse()
            return
        self._kept.follow(snapshot, another_epoch=another_epoch)
        if self._compatible is not None:
            self._compatible.update(snapshot)
