"""`python -m operations.recordings HAR`, the same as `loadgen record HAR`."""

import argparse
import sys

from operations.errors import LoadgenError
from operations.recordings.command import add_options, record


def main() -> int:
    """Run the verb; a user's mistake is one sentence."""
    parser = argparse.ArgumentParser(prog="loadgen record", description=record.__doc__)
    add_options(parser)
    try:
        return record(parser.parse_args())
    except LoadgenError as fault:
        print(f"loadgen: {fault}", file=sys.stderr)
        return fault.exit_code


if __name__ == "__main__":
    sys.exit(main())
