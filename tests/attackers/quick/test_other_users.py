"""What other users of the machine may put into the directory for temporary files."""

import tempfile
from pathlib import Path

import pytest

from loadgen.cluster.local import PRIVATE_PREFIX, sweep_private_directories
from tests.faults.record import Outcome

GONE = 999_999_999
"""No process has this number."""


@pytest.mark.fault(
    "Attackers: names and files", "Links and odd numbers lie where runs leave private directories."
)
def test_names_that_others_made_keep_no_run_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outcome: Outcome
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "kept").write_text("x")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    for number in (str(GONE), "\N{SUPERSCRIPT TWO}", "\N{ARABIC-INDIC DIGIT ONE}", "9" * 40, ""):
        begin = f"{temporary}/{PRIVATE_PREFIX}{number}"
        Path(f"{begin}-link").symlink_to(mine)
        Path(f"{begin}-nowhere").symlink_to("nowhere")
        Path(f"{begin}-round").symlink_to(f"{begin}-round")
        Path(f"{begin}-file").write_text("")
        Path(f"{begin}-directory").mkdir()
    before = {path.name for path in temporary.iterdir()}

    sweep_private_directories()

    assert before - {path.name for path in temporary.iterdir()} == {
        f"{PRIVATE_PREFIX}{GONE}-directory"
    }
    assert (mine / "kept").read_text() == "x"
    outcome("Only a private directory of one's own, whose process has ended, is removed.")
