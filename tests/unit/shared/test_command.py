"""How an entry point ends."""

import subprocess
import sys

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
