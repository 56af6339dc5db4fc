"""Says what is being waited for, when it takes longer than a moment."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

MOMENT_SECONDS = 2.0


@contextmanager
def waiting_for(
    what: str, say: Callable[[str], object], seconds: float = MOMENT_SECONDS
) -> Iterator[None]:
    """Say what is waited for, once the block has taken `seconds`."""
    timer = threading.Timer(seconds, say, [f"Waiting for {what}"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
