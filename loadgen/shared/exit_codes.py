"""The codes that `loadgen` ends with; README's table says the same."""

PASSED = 0
FAILED = 1
USAGE = 2
INVALID = 3
ERROR = 4
INTERRUPTED = 130
