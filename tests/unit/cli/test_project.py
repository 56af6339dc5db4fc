"""A project of the user's own, and what a machine lacks."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from loadgen.cli import doctor
from loadgen.cli.main import main
from loadgen.specification.experiment import load_experiment
from loadgen.specification.run import RunSpecification


def ended(*words: str) -> int:
    with pytest.raises(SystemExit) as ending:
        main(list(words))
    return int(ending.value.code or 0)


def test_init_lays_out_a_project_whose_parts_can_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert ended("init", "mine") == 0
    monkeypatch.chdir("mine")
    assert load_experiment(Path("experiment.yml"), {}).slos
    assert (tmp_path / "mine" / "inventory" / "mine" / "hosts.yml").is_file()
    assert ".secrets/" in Path(".gitignore").read_text()
    assert not list(Path().rglob("__pycache__"))
    assert not Path("gitignore").exists()


def test_init_overwrites_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = tmp_path / "locustfile.py"
    own.write_text("mine")
    assert ended("init", str(tmp_path)) == 2
    assert own.read_text() == "mine"
    assert "is not an empty directory: nothing was written" in capsys.readouterr().err


def test_init_names_a_place_where_it_cannot_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert ended("init", str(tmp_path / "file" / "mine")) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "can't be written (Not a directory): give a directory that you can write to" in said


def test_doctor_names_what_is_lacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        fields = RunSpecification.model_fields
        monkeypatch.setattr(fields["web_port"], "default", port)
        findings = {finding.subject: finding for finding in doctor.look_here(tmp_path)}
    assert findings[f"port {port}"].state == "lacking"
    assert "give another --web-port" in findings[f"port {port}"].text
    assert findings["Python"].state == "ok"
    assert doctor.describe(list(findings.values())).endswith("says how.")


def test_doctor_of_an_inventory_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    (finding,) = doctor.look_at_fleet(tmp_path / "absent")
    assert finding.state == "lacking"
    assert "absent" in finding.text


def test_version_names_what_a_report_needs(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("--version") == 0
    assert capsys.readouterr().out.startswith("loadgen 0.")


def test_a_shell_completes_verbs_and_options(tmp_path: Path) -> None:
    line, words = "loadgen run --user", tmp_path / "words"
    environment = {
        "_ARGCOMPLETE": "1",
        "_ARGCOMPLETE_STDOUT_FILENAME": str(words),
        "COMP_LINE": line,
        "COMP_POINT": str(len(line)),
    }
    command = [sys.executable, "-m", "loadgen"]
    subprocess.run(command, env=os.environ | environment, check=False, timeout=60)
    assert {"--users", "--user-classes"} <= set(words.read_text().split("\v"))
