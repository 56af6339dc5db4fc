"""One change of a fleet at a time: the second one names the first."""

import subprocess
import sys
from pathlib import Path

import pytest

from loadgen.deploy.inventory_lock import hold
from loadgen.shared.errors import UsageError

BECOME = """
import os, sys
from pathlib import Path
from loadgen.deploy.inventory_lock import hold
from loadgen.shared.errors import UsageError
try:
    hold(Path(sys.argv[1]))
except UsageError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
os.execvp(sys.argv[2], sys.argv[2:])
"""
COMMAND = [sys.executable, "-c", BECOME]


def test_the_second_change_is_refused_and_names_the_first_until_that_ends(tmp_path: Path) -> None:
    with subprocess.Popen(
        [*COMMAND, str(tmp_path), "sh", "-c", "echo ready; read line"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as first:
        assert first.stdout
        first.stdout.readline()
        refused = subprocess.run(
            [*COMMAND, str(tmp_path), "echo", "changed"],
            capture_output=True,
            text=True,
            check=False,
        )
        first.communicate(b"\n")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert f"process {first.pid} since " in refused.stderr
    assert "nothing was changed" in refused.stderr
    admitted = [*COMMAND, str(tmp_path), "echo", "changed"]
    assert subprocess.run(admitted, capture_output=True, check=True).stdout == b"changed\n"


def test_nothing_is_left_in_the_inventory(tmp_path: Path) -> None:
    subprocess.run([*COMMAND, str(tmp_path), "true"], check=True)
    assert not list(tmp_path.iterdir())


def test_an_inventory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere can't be read"):
        hold(tmp_path / "nowhere")
