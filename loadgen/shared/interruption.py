"""Ctrl-C and SIGTERM as a state that loops look at, not as an exception in the middle of things.

The first asks for a graceful stop; a second one says that nobody wants to wait.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interruption:
    """Counts the user's requests to stop."""

    def __init__(self) -> None:
        self.count = 0
        self.name = ""

    @property
    def requested(self) -> bool:
        """Whether the user asked to stop."""
        return self.count > 0

    @property
    def forced(self) -> bool:
        """Whether the user asked again."""
        return self.count > 1

    def sleep(self, seconds: float) -> bool:
        """Wait; return False, at once, when the user asks to stop."""
        deadline = time.monotonic() + seconds
        while not self.requested and time.monotonic() < deadline:
            time.sleep(min(0.1, max(0.0, deadline - time.monotonic())))
        return not self.requested

    @contextmanager
    def listen(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM while the block runs, and give them back after it."""

        def note(number: int, _frame: FrameType | None) -> None:
            self.count += 1
            self.name = signal.Signals(number).name

        numbers = (signal.SIGINT, signal.SIGTERM)
        before = [signal.signal(number, note) for number in numbers]
        try:
            yield
        finally:
            for number, handler in zip(numbers, before, strict=True):
                signal.signal(number, handler)
