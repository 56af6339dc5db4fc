"""What the command imports: never Locust, which patches the standard library for its own process.

A command that had it would wait in gevent's hub, and a series would stand still in its next run.
"""

import pkgutil
import subprocess
import sys

import pytest

import loadgen.results
import loadgen.runs

TIMEOUT_SECONDS = 60


@pytest.mark.parametrize("package", [loadgen.results, loadgen.runs], ids=lambda one: one.__name__)
def test_what_runs_and_results_import_patches_nothing(package: object) -> None:
    found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")  # type: ignore[attr-defined]
    names = [one.name for one in found if not one.name.endswith("__main__")]
    assert names
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    assert not {'gevent', 'locust'} & set(sys.modules), name\n"
    )
    command = [sys.executable, "-c", program, *names]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS
    )
    assert done.returncode == 0, done.stderr
