"""How an entry point ends: with its exit code, and a fault as one sentence, never a traceback."""

import sys
from collections.abc import Callable

from loadgen.shared.errors import LoadgenError
from loadgen.shared.text import plain


def ending(carry_out: Callable[[], int | None], name: str = "") -> int:
    """Carry out a command and return its exit code, 0 for None.

    A LoadgenError is printed on standard error, after `name`, and gives its own code. What it
    quotes may come from a host or a target, so that it is printed without control characters.
    """
    try:
        return carry_out() or 0
    except LoadgenError as error:
        print(f"{name}: " * bool(name) + plain(str(error)), file=sys.stderr)
        return error.exit_code
