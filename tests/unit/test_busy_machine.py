"""Which failed tests pytest tries again."""

import json
from pathlib import Path

import pytest

from tests import busy_machine


@pytest.mark.parametrize(
    ("verdict", "kinds", "waited"),
    [
        ("invalid", ["generator_stall"], True),
        ("invalid", ["generator_cpu", "generator_stall", "note"], True),
        ("invalid", ["generator_stall", "lost_worker"], False),
        ("invalid", ["note"], False),
        ("failed", ["generator_stall"], False),
        ("passed", [], False),
    ],
)
def test_only_a_run_that_waited_for_a_core_and_has_no_other_fault_counts(
    tmp_path: Path, verdict: str, kinds: list[str], waited: bool
) -> None:
    run = tmp_path / "results" / "run-1"
    run.mkdir(parents=True)
    (run / "summary.json").write_text(json.dumps({"verdict": verdict, "reason_kinds": kinds}))
    with busy_machine.watched(tmp_path):
        assert busy_machine.machine_was_busy() is waited
    assert not busy_machine.machine_was_busy(), "a directory of another test doesn't count"
