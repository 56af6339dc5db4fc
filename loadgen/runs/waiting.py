"""Says what is being waited for, when it takes longer than a moment."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from loadgen.runs.progress import Progress

MOMENT_SECONDS = 2.0


@contextmanager
def waiting_for(what: str, progress: Progress, seconds: float = MOMENT_SECONDS) -> Iterator[None]:
    """Print what is waited for, once the block has taken `seconds`."""
    timer = threading.Timer(seconds, progress.step, [f"Waiting for {what}"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
