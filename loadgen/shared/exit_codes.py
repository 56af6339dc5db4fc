"""The codes that `loadgen` ends with; README's table says the same."""

PASSED = 0
FAILED = 1
USAGE = 2
INVALID = 3
ERROR = 4
INTERRUPTED = 130


def exit_code(asked: object) -> int | None:
    """Return a process's exit code as `sys.exit` takes it: what is no number is 1."""
    if asked is None:
        return None
    if not isinstance(asked, int):
        return int(bool(asked))
    return int(asked) if asked >= 0 else asked % 256
