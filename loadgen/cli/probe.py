"""`loadgen probe`: finds or starts the target, and walks a scenario in a process of its own."""

import subprocess
import sys
from argparse import ArgumentParser, Namespace

from loadgen.cluster.inspection import find_locustfile
from loadgen.cluster.local import LocalCluster
from loadgen.shared.errors import UsageError
from loadgen.specification.run import specify

TARGET_START_SECONDS = 15.0


def add_options(parser: ArgumentParser) -> None:
    """Add the verb's options."""
    parser.add_argument("--locustfile", "-f", required=True, help="scenario, one file")
    parser.add_argument("--host", "-H", help="base URL; the scenario's bundled target without it")
    parser.set_defaults(verb=probe)


def probe(options: Namespace) -> int:
    """Carry out `loadgen probe`; return 1 when a request failed, else 0."""
    given = {"locustfile": options.locustfile, "host": options.host}
    specification = specify({name: value for name, value in given.items() if value})
    cluster = LocalCluster(specification)
    try:
        inspection = cluster.inspect(specification)
        if inspection.error:
            raise UsageError(f"--locustfile {options.locustfile} can't be used: {inspection.error}")
        own = [host for host in inspection.user_classes.values() if host]
        host = options.host or (own[0] if own else None)
        patience_seconds = 0.0
        if host is None:
            host = str(cluster.default_host(inspection.simulator))
            patience_seconds = TARGET_START_SECONDS
            print(f"No HOST given: the bundled target is at {host}", flush=True)
        cluster.require_target(host, patience_seconds, verify=False)
        file = str(find_locustfile(options.locustfile))
        command = [sys.executable, "-m", "loadgen.node.probe", file, "--host", host]
        return subprocess.run(command, check=False, stdin=subprocess.DEVNULL).returncode
    except KeyboardInterrupt:
        return 130
    finally:
        cluster.kill()
