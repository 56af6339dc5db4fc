"""Ends a child when its starter is gone: the other end of an inherited pipe closes.

For processes without gevent; `loadgen.node` has its own, as gevent patches threads.
"""

import os
import signal
import threading


def hold_lifeline(descriptor: int) -> None:
    """Send this process SIGTERM once the pipe's other end closes."""

    def wait() -> None:
        os.read(descriptor, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True).start()
