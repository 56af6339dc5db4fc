"""A project of the user's own, and what a machine lacks."""

import os
import resource
import socket
import subprocess
import sys
from collections import namedtuple
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


def found(subject: str, results: Path) -> tuple[str, str]:
    (one,) = (one for one in doctor.look_here(results) if one.subject == subject)
    return one.state, one.text


def test_doctor_names_a_results_directory_that_cannot_be_one(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for results in (file, file / "below"):
        assert found("disk", results) == (
            "lacking",
            f"{file} is a file: give a directory with --results",
        )


def test_doctor_names_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage(20 << 20))
    state, text = found("disk", tmp_path)
    assert (state, text.startswith("20 MiB are free for")) == ("lacking", True)
    assert "a run needs 32 MiB: make room, or give another directory with --results" in text


@pytest.mark.parametrize(
    ("limits", "state", "text"),
    [
        ((1024, 4096), "look", "about 824 users on each worker, run ulimit -n 4096 first"),
        ((1024, 1 << 20), "look", "run ulimit -n 10000 first"),
        ((1024, 1024), "look", "root has to raise the hard limit"),
        (
            (150, 150),
            "lacking",
            "150 for each process, which is too few for a run: root has to raise",
        ),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), "ok", "10,000 for each process"),
    ],
)
def test_doctor_says_how_many_users_the_open_files_allow(
    limits: tuple[int, int], state: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: limits)
    said = found("open files", tmp_path)
    assert said[0] == state
    assert text in said[1]


def test_doctor_names_a_loopback_without_name_or_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(*_: object) -> None:
        raise OSError(101, "Network is unreachable")

    addresses = socket.getaddrinfo

    def not_found(host: str, *rest: int) -> object:
        if host == "localhost":
            nothing()
        return addresses(host, *rest)

    monkeypatch.setattr("socket.getaddrinfo", not_found)
    assert found("loopback", tmp_path)[0] == "look"
    assert "add the line '127.0.0.1 localhost' to /etc/hosts" in found("loopback", tmp_path)[1]
    monkeypatch.setattr("socket.create_connection", nothing)
    assert found("loopback", tmp_path) == (
        "lacking",
        "127.0.0.1 can't be reached (Network is unreachable): run ip link set lo up",
    )


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
