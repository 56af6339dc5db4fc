"""`loadgen probe`: finds or starts the target, and walks a scenario in a process of its own."""

import os
import subprocess
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from contextlib import ExitStack
from pathlib import Path

from loadgen.cluster.bundled_target import BundledTarget
from loadgen.cluster.inspection import find_locustfile, look_at
from loadgen.node.target_check import require_answer
from loadgen.shared.errors import UsageError
from loadgen.specification.run import specify


def add_options(parser: ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("--locustfile", "-f", required=True, help="scenario, one file")
    parser.add_argument("--host", "-H", help="base URL; the scenario's bundled target without it")
    parser.set_defaults(verb=probe)


def probe(options: Namespace) -> int:
    """Carry out `loadgen probe`; return 1 when a request failed, else 0."""
    given = {"locustfile": options.locustfile, "host": options.host}
    specification = specify({name: value for name, value in given.items() if value})
    inspection = look_at(specification, os.environ)
    if inspection.error:
        raise UsageError(f"--locustfile {options.locustfile} can't be used: {inspection.error}")
    own = [host for host in inspection.user_classes.values() if host]
    with ExitStack() as stack:
        host = options.host or (own[0] if own else None)
        if host is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loadgen-")))
            target = BundledTarget(inspection.simulator, (), directory)
            stack.callback(target.end)
            print(f"No HOST given: the bundled target is at {target.host}", flush=True)
            target.require_answer()
            host = target.host
        else:
            require_answer(host, verify=False)
        file = str(find_locustfile(options.locustfile))
        command = [sys.executable, "-m", "loadgen.node.probe", file, "--host", host]
        try:
            return subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode
        except KeyboardInterrupt:
            return 130
