"""The alarm study's hour through real processes and sockets, sixty times as fast."""

import os
import re
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.local.conftest import MARKER, processes_marked

TIMEOUT_SECONDS = 240
# A slower try gives a busy machine's delays less weight.
SPEEDS = (60, 30, 30)


def _study(results: Path, *arguments: str) -> tuple[int, str, str]:
    marker = f"marker-{uuid.uuid4().hex}"
    # At 60 times the speed a millisecond's wait for a busy core is 0.06 s of the study.
    first = ["nice", "-n", "-20"] if os.geteuid() == 0 else []
    command = [
        *first,
        sys.executable,
        "-m",
        "loadgen",
        "study",
        "alarm",
        "--results",
        str(results),
    ]
    finished = subprocess.run(
        [*command, *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
        env={**os.environ, MARKER: marker},
    )
    assert not processes_marked(marker)
    return finished.returncode, finished.stdout, finished.stderr


@pytest.mark.timeout(len(SPEEDS) * TIMEOUT_SECONDS)
@pytest.mark.parametrize("seed", [42, 7, 2026])
def test_scaled_hour_reproduces_the_published_one(seed: int, tmp_path: Path) -> None:
    """Beside other work the machine's own delays can pass a tenth: then the hour is run again."""
    for speed in SPEEDS:
        code, output, errors = _study(tmp_path, "--speed", str(speed), "--seed", str(seed))
        if code != 1:
            break
    assert code == 0, output + errors
    assert "The published hour is reproduced." in output
    figures = dict(re.findall(r"^([a-z ]+?) +([\d.]+) +[\d.]+$", output, re.MULTILINE))
    assert abs(float(figures["median"]) - 2.009) <= 0.2009
    assert abs(float(figures["mean"]) - 2.780) <= 0.278
    assert int(figures["above average limit"]) >= 25
    print(f"\nseed {seed} at speed {speed}: {figures}")
    directory = tmp_path / "latest"
    assert (directory / "alarm-study.txt").read_text() in output
    assert {path.suffix for path in directory.glob("alarm-study.*")} == {
        ".txt",
        ".svg",
        ".png",
        ".pdf",
    }


def test_impossible_speed_is_refused_in_a_sentence(tmp_path: Path) -> None:
    code, output, errors = _study(tmp_path, "--speed", "0")
    assert (code, output) == (2, "")
    assert "--speed '0' can't be used; give a number above 0" in errors
    assert len(errors.splitlines()) == 1
