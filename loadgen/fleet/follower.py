"""Follows a fleet's master: its snapshots come over SSH, one JSON line each."""

import queue
import threading
from collections import deque
from collections.abc import Iterator

from pydantic import TypeAdapter

from loadgen.fleet.connections.ssh import PYTHON, Remote, in_release
from loadgen.shared.errors import OperationError
from loadgen.shared.snapshot import SNAPSHOT_VALUES_MAX, Snapshot
from loadgen.shared.text import require_few_values

COMMAND = f"{PYTHON} -m loadgen.fleet.agent_snapshots"
SILENCE_SECONDS = 5.0
AGAIN_SECONDS = 0.5
PARTING_SECONDS = 2.0
LINE_BYTES_MAX = 32 << 20
WAITING_MAX, WAITING_BYTES_MAX = 30, 32 << 20
_SNAPSHOT = TypeAdapter(Snapshot)


class Waiting(queue.Queue[Snapshot]):
    """Snapshots that nobody has taken yet, each with the bytes that it came in.

    Beyond a number of them, or a sum of their bytes, the oldest goes, as each one is complete.
    """

    def _init(self, maxsize: int) -> None:
        del maxsize
        self._rows: deque[tuple[Snapshot, int]] = deque()

    def _qsize(self) -> int:
        return len(self._rows)

    def _get(self) -> Snapshot:
        return self._rows.popleft()[0]

    def put_newest(self, snapshot: Snapshot, size: int) -> None:
        """Put one, however much waits; it has come in `size` bytes."""
        with self.mutex:
            self._rows.append((snapshot, size))
            while len(self._rows) > WAITING_MAX or (
                len(self._rows) > 1 and sum(size for _, size in self._rows) > WAITING_BYTES_MAX
            ):
                self._rows.popleft()
            self.not_empty.notify()


class Follower:
    """Puts each snapshot of one run into `snapshots`; connects again when SSH breaks.

    Without a `run_id` it follows the first run that the master reports.

    Each snapshot is complete, so what is missed in between costs a moment and nothing else.
    `restarted` is true once another master process has spoken for the same run.
    """

    def __init__(self, remote: Remote, run_id: str | None) -> None:
        self.snapshots = Waiting()
        self.restarted = False
        # It has its own connection, which is closed when it falls silent; the others are in use
        # for requests.
        self._remote = Remote(remote.node)
        self._run_id = run_id
        self._master = ""
        self._ended = threading.Event()
        self._parted = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True, name="follower")
        self._thread.start()

    def wait_for_parting(self) -> None:
        """Wait a moment for the last snapshot of a master that has ended."""
        self._parted.wait(PARTING_SECONDS)

    def end(self) -> None:
        """Stop following and disconnect, so that nothing of the connection stays here."""
        self._ended.set()
        self._remote.close()
        self._thread.join(SILENCE_SECONDS)

    def _follow(self) -> None:
        while not self._ended.is_set():
            try:
                for line in self._lines():
                    said = _SNAPSHOT.validate_json(require_few_values(line, SNAPSHOT_VALUES_MAX))
                    self._take(said, len(line))
            except (OperationError, ValueError):
                # The code that waits for snapshots decides how long a silence is too long. After
                # an interruption a new connection works long before TCP tries the old one again.
                self._remote.close()
                self._ended.wait(AGAIN_SECONDS)
        self._remote.close()

    def _lines(self) -> Iterator[bytes]:
        rest = b""
        for chunk in self._remote.stream(in_release(COMMAND), timeout=SILENCE_SECONDS):
            if self._ended.is_set():
                return
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
            if len(rest) > LINE_BYTES_MAX:
                raise OperationError(
                    f"a snapshot from the master has more than {LINE_BYTES_MAX >> 20} MiB"
                )

    def _take(self, snapshot: Snapshot, size: int = 0) -> None:
        self._run_id = self._run_id or snapshot.run_id
        if not self._run_id or snapshot.run_id != self._run_id:
            return
        master = snapshot.epoch.rpartition("-")[0]
        self.restarted = self.restarted or self._master not in ("", master)
        self._master = master
        if not self.restarted:
            self.snapshots.put_newest(snapshot, size)
            if snapshot.parting:
                self._parted.set()
