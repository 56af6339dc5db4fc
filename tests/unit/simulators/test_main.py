"""The simulators' command line."""

import socket

import pytest

from loadgen.simulators import NAMES
from loadgen.simulators.__main__ import main, parse


@pytest.mark.parametrize("name", NAMES)
def test_every_simulator_is_served_without_further_options(name: str) -> None:
    options = parse([name, "--listen", "127.0.0.1:8123"])
    assert (options.listen, options.seed) == (("127.0.0.1", 8123), 42)


def test_keyword_arguments_of_a_simulator_are_its_options() -> None:
    arguments = ["--faults", "--checklist-position", "1", "--speed", "60", "--law", "regression"]
    options = parse(["alarm_receiver", *arguments])
    assert {name: getattr(options, name) for name in options.models} == {
        "law": "regression",
        "faults": True,
        "checklist_position": 1,
        "speed": 60.0,
    }
    assert parse(["hello"]).models == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing"], "invalid choice: 'nothing'"),
        ([], "required: name"),
        (["hello", "--faults"], "unrecognized arguments: --faults"),
        (["alarm_receiver", "--law", "magic"], "invalid choice: 'magic'"),
        (["hello", "--listen", "here"], "give ADDRESS:PORT"),
    ],
)
def test_wrong_command_lines_end_with_exit_2(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(arguments)
    assert ended.value.code == 2
    assert sentence in capsys.readouterr().err


def test_option_out_of_range_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["alarm_receiver", "--speed", "0"]) == 2
    assert capsys.readouterr().err == (
        "simulator: speed is 0.0; it must be above 0; 1 means real time\n"
    )


def test_a_port_that_is_held_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        listen = f"127.0.0.1:{holder.getsockname()[1]}"
        assert main(["hello", "--listen", listen]) == 2
    said = capsys.readouterr().err
    assert f"--listen {listen} can't be used: Address already in use; give another" in said
