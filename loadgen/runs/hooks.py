"""Commands around a run, such as one that resets the target. No shell, bounded in time."""

import subprocess
from collections.abc import Mapping, Sequence

from loadgen.shared.errors import OperationError

TIMEOUT_SECONDS = 600.0
OUTPUT_CHARACTERS = 500


def run_hooks(
    when: str,
    commands: Sequence[Sequence[str]],
    environment: Mapping[str, str],
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> None:
    """Run commands one after the other. OperationError with the command and its last output."""
    for command in commands:
        fault = _run(command, environment, timeout_seconds)
        if fault:
            shown = " ".join(command)
            raise OperationError(f"the command {when} the run, '{shown}', {fault}")


def _run(command: Sequence[str], environment: Mapping[str, str], timeout: float) -> str | None:
    try:
        finished = subprocess.run(
            list(command),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
            text=True,
            errors="replace",
        )
    except OSError as error:
        return f"can't be started: {error.strerror}"
    except subprocess.TimeoutExpired:
        return f"did not end within {timeout:g} s"
    if not finished.returncode:
        return None
    output = finished.stdout.strip()[-OUTPUT_CHARACTERS:] or "no output"
    return f"ended with exit code {finished.returncode}: {output}"
