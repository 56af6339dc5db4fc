"""A program of the runs' user that works while the kit does."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def racing(program: str, *arguments: object) -> Iterator[None]:
    """Run Python's text `program` until the block ends, from when it has printed `ready`."""
    command = [sys.executable, "-I", "-c", program, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as racer:
        try:
            assert racer.stdout
            assert racer.stdout.readline() == b"ready\n"
            yield
        finally:
            racer.kill()
