"""Every fault that a person can meet, as one tree; each branch carries its exit code.

    LoadgenError
    ├── UsageError          2    a wrong option, specification, locustfile or inventory
    │   └── BusyError       2    something else already runs here
    ├── EndedByUser         130  the user ended it before anything was measured
    └── OperationError      4    a machine or a process failed
        ├── TargetError     4    the target never answered
        └── NodeError       4    one or more nodes failed; carries a message for each

A message says what happened, the value, the rule, and what to do next, in that order.
"""

from collections.abc import Mapping

from loadgen.shared import exit_codes
from loadgen.shared.text import indented


def why_unread(error: Exception) -> str:
    """Return in words why a text file could not be read."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


class LoadgenError(Exception):
    """A fault with one sentence for the user; `exit_code` is the code that `loadgen` ends with."""

    exit_code = exit_codes.ERROR


class UsageError(LoadgenError):
    """The request itself is wrong; nothing was started."""

    exit_code = exit_codes.USAGE


class BusyError(UsageError):
    """Another run, or another program, holds what this run needs; nothing was started."""


class EndedByUser(LoadgenError):  # noqa: N818 - a wish, not a fault
    """The user ended a run before its load began."""

    exit_code = exit_codes.INTERRUPTED


class OperationError(LoadgenError):
    """A machine or a process failed."""


class TargetError(OperationError):
    """The system under test did not answer."""


class NodeError(OperationError):
    """One or more nodes failed; `faults` maps a node's name to its sentence."""

    def __init__(self, summary: str, faults: Mapping[str, str]) -> None:
        self.faults = dict(faults)
        lines = [summary, *(f"  {node}: {indented(fault)}" for node, fault in self.faults.items())]
        super().__init__("\n".join(lines))
