"""How an entry point ends."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from loadgen.shared import command
from loadgen.shared.errors import OperationError, UsageError


def test_a_fault_is_one_plain_sentence_and_its_own_code(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise UsageError("host \x1b[2Jsays")

    assert command.ending(fail) == UsageError.exit_code
    assert capsys.readouterr().err == "host \\x1b[2Jsays\n"


def test_a_command_has_its_name_before_a_fault_and_its_own_code_without(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise OperationError("gone")

    assert command.ending(fail, "watch") == OperationError.exit_code
    assert capsys.readouterr().err == "watch: gone\n"
    assert command.ending(lambda: 3) == 3
    assert command.ending(lambda: None) == 0


@pytest.mark.parametrize("words", [["doctor"], ["run", "--help"], ["--version"]])
def test_a_verb_whose_reader_has_gone_ends_as_ever(words: list[str]) -> None:
    command = [sys.executable, "-m", "loadgen", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_a_path_that_the_system_refuses_is_a_sentence_and_a_fault_here_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert command.ending((tmp_path / "file" / "x").mkdir, "loadgen") == 4
    said = capsys.readouterr().err
    assert said.startswith(f"loadgen: {tmp_path}/file/x can't be used (Not a directory): check")
    with pytest.raises(FileNotFoundError):
        command.ending((tmp_path / "absent" / "x").mkdir, "loadgen")


def test_a_character_that_the_terminal_lacks_is_printed_as_its_code(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "loadgen", "init", "shop\N{HORIZONTAL ELLIPSIS}"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert "cd shop\\u2026\n" in ended.stdout


def test_a_machine_without_a_temporary_directory_says_which_variable_to_set(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise FileNotFoundError(
            errno.ENOENT, "No usable temporary directory found in ['/tmp', '/usr/tmp']"
        )

    assert command.ending(fail) == OperationError.exit_code
    told = capsys.readouterr().err
    assert told.startswith(
        "No usable temporary directory found in ['/tmp', '/usr/tmp']: set TMPDIR"
    )


@pytest.mark.parametrize("module", ["runs.series_pictures", "studies.alarm.figures"])
def test_drawing_says_nothing_of_a_home_that_cannot_be_written(module: str) -> None:
    code = f"import loadgen.results.evaluation.pictures, loadgen.{module}"
    said = subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "HOME": "/proc/nowhere"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert said.stderr == ""
