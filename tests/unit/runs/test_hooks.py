import sys
import time
from pathlib import Path

import pytest

from loadgen.runs.hooks import run_hooks
from loadgen.shared.errors import OperationError


def test_commands_run_in_order_and_see_the_run(tmp_path: Path) -> None:
    script = (
        "import os,sys; open(sys.argv[1],'a').write(os.environ['LOADGEN_RUN_ID'] + sys.argv[2])"
    )
    commands = [(sys.executable, "-c", script, str(tmp_path / "log"), text) for text in "ab"]
    run_hooks("before", commands, {"LOADGEN_RUN_ID": "r1"})
    assert (tmp_path / "log").read_text() == "r1ar1b"


def test_a_command_that_fails_says_what_it_printed() -> None:
    command = (sys.executable, "-c", "print('no such table'); raise SystemExit(3)")
    with pytest.raises(
        OperationError, match=r"before the run, .* ended with exit code 3: no such table"
    ):
        run_hooks("before", [command], {})


def test_a_command_that_is_missing_or_hangs_is_one_sentence() -> None:
    with pytest.raises(OperationError, match="after the run, 'absent-command', can't be started"):
        run_hooks("after", [("absent-command",)], {"PATH": "/nonexistent"})
    began = time.monotonic()
    with pytest.raises(OperationError, match=r"did not end within 0\.2 s"):
        run_hooks("after", [(sys.executable, "-c", "import time; time.sleep(60)")], {}, 0.2)
    assert time.monotonic() - began < 30
