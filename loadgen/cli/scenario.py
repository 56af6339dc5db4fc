"""Verbs that make scenarios: walk one, record one, serve a target to try one on."""

import os
import subprocess
import tempfile
from argparse import Namespace
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from loadgen.cluster.bundled_target import BundledTarget
from loadgen.cluster.inspection import look_at
from loadgen.cluster.packages import find_requirements, own_packages
from loadgen.cluster.scenario import find_scenario
from loadgen.node.target_check import require_answer
from loadgen.recordings.browser import record_session
from loadgen.recordings.command import record as convert_recording
from loadgen.shared import exit_codes
from loadgen.shared.errors import UsageError
from loadgen.shared.made_source import module_name
from loadgen.shared.project import PYTHON_MODULE
from loadgen.specification.run import specify


def probe(options: Namespace) -> int:
    """Carry out `loadgen probe` in a process of its own; return 1 when a request failed, else 0."""
    given = {"locustfile": options.locustfile, "host": options.host}
    specification = specify({name: value for name, value in given.items() if value})
    scenario = find_scenario(specification.locustfiles)
    requirements = find_requirements(scenario)
    packages = requirements and own_packages(requirements)
    inspection = look_at(scenario.paths, os.environ, packages)
    if inspection.error:
        raise UsageError(f"--locustfile {options.locustfile} can't be used: {inspection.error}")
    own = [host for host in inspection.user_classes.values() if host]
    with ExitStack() as stack:
        host = options.host or (own[0] if own else None)
        if host is None:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loadgen-")))
            target = BundledTarget(inspection.simulator, (), directory)
            stack.callback(target.end)
            print(f"No HOST was given: the bundled target is at {target.host}", flush=True)
            target.require_answer()
            host = target.host
        else:
            require_answer(host, verify=False)
        probing = [*PYTHON_MODULE, "loadgen.node.probe", "--host", host]
        probing += ["--packages", str(packages)] if packages else []
        try:
            return max(
                subprocess.run([*probing, path], check=False, stdin=subprocess.DEVNULL).returncode
                for path in scenario.paths
            )
        except KeyboardInterrupt:
            return exit_codes.INTERRUPTED


def record(options: Namespace) -> int:
    """Carry out `loadgen record`, of a HAR file or of a browser that is opened for it."""
    if options.browser is None:
        if options.har is None:
            raise UsageError(
                "no recording was given: give the path of a HAR file, or --browser URL "
                "to record one"
            )
        return convert_recording(options)
    with tempfile.TemporaryDirectory(prefix="loadgen-record-") as directory:
        # The recording contains what the person typed, so it is kept only in a file that the
        # person named.
        name = module_name(urlsplit(options.browser).hostname or "session")
        options.har = options.har or Path(directory) / f"{name}.har"
        record_session(options.browser, options.har)
        return convert_recording(options)
