"""Looks at a run's locustfiles before the run, in a process of their own."""

import contextlib
import json
import os
import select
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from loadgen.cluster.packages import own_packages
from loadgen.cluster.scenario import Scenario
from loadgen.node.locustfile_check import Inspection, is_answered, parse_inspection
from loadgen.shared.processes import Process, Starter, start_interpreter
from loadgen.shared.project import PROJECT

INSPECTION_SECONDS = 60
LEAVING_SECONDS = 1.0
OUTPUT_BYTES_MAX = 1 << 24


def look_at(
    paths: Sequence[str],
    environment: Mapping[str, str],
    packages: Path | None = None,
    directory: Path | None = None,
    options: Sequence[str] | None = None,
) -> Inspection:
    """Import locustfiles under the environment that a run's processes will have, and nothing else.

    `packages` are those that the scenario brings; `directory` is the working directory; `options`
    are what the run gives to Locust, to be checked too.
    """
    start = partial(start_interpreter, directory=directory)
    return look_from(start, paths, environment, packages, options)


def look_from(
    start: Starter,
    paths: Sequence[str],
    environment: Mapping[str, str],
    packages: Path | None,
    options: Sequence[str] | None = None,
) -> Inspection:
    """Look as `look_at` does, in a process that `start` starts."""
    own = [f"--packages={packages}"] if packages else []
    own += [] if options is None else [f"--options={json.dumps(options)}"]
    reader, writer = os.pipe()
    with open(reader, "rb") as said, tempfile.TemporaryFile() as errors:  # noqa: PTH123 - a pipe
        try:
            process = start(
                ["loadgen.node.locustfile_check", *own, *paths],
                environment,
                [writer, errors.fileno()],
            )
        finally:
            os.close(writer)
        answered = _read(said.fileno(), output := bytearray(), INSPECTION_SECONDS, is_answered)
        _end(process, said.fileno())
        if not answered:
            return Inspection(error=f"importing it took more than {INSPECTION_SECONDS} s")
        errors.seek(0)
        return _understood(bytes(output), errors.read().decode(errors="replace"))


def _read(
    reader: int, output: bytearray, seconds: float, is_enough: Callable[[bytearray], bool]
) -> bool:
    """Read a pipe until it is enough, or to its end; False when it takes too long."""
    deadline = time.monotonic() + seconds
    while select.select([reader], [], [], max(0.0, deadline - time.monotonic()))[0]:
        part = os.read(reader, 1 << 16)
        output += part
        if not part or is_enough(output):
            return True
        del output[:-OUTPUT_BYTES_MAX]
    return False


def _end(process: Process, output: int) -> None:
    """Let the process end by itself if it does so soon, and end what the locustfile started."""
    _read(output, bytearray(), LEAVING_SECONDS, lambda _: False)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    if isinstance(process, subprocess.Popen):
        process.wait()  # what the nursery has forked isn't ours to wait for


def _understood(output: bytes, errors: str) -> Inspection:
    try:
        return parse_inspection(output)
    except ValueError as error:
        detail = errors.strip().splitlines()[-1:] or [str(error)]
        return Inspection(error=detail[0])


def look_as_node(
    scenario: Scenario,
    environment: Mapping[str, str],
    requirements: Path | None,
    options: Sequence[str],
) -> Inspection:
    """Look at a scenario as a node would: in its directory, with what units set, and no more."""
    packages = requirements and own_packages(requirements)
    with tempfile.TemporaryDirectory(prefix="loadgen-home-") as home:
        unit = {
            "HOME": home,
            "LANG": os.environ.get("LANG", "C.UTF-8"),
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
            "PYTHONPATH": str(PROJECT),
            "PYTHONUNBUFFERED": "1",
            "USER": "loadgen",
        }
        return look_at(
            scenario.paths, {**unit, **environment}, packages, scenario.directory, options
        )


def variables_notice(absent: Sequence[str], own: Mapping[str, str]) -> str | None:
    """Say which variables a scenario looks for, that this machine has and nodes don't."""
    here = [name for name in absent if name in own]
    if not here:
        return None
    return (
        f"The locustfile reads {', '.join(here)} from the environment. This machine "
        f"has it and the hosts don't: give {' '.join(f'--env {name}' for name in here)} "
        f"if they need it"
    )
