"""Ctrl-C and SIGTERM as a state that loops look at, not as an exception in the middle of things.

The first asks for a graceful stop; a second one says that nobody wants to wait.
"""

import signal
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
