"""What is typed after make is known to the target, or is refused before anything runs."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.unit.test_documentation import targets

PROJECT = Path(__file__).resolve().parents[3]
NO_VARIABLES = {"SSH", "HTTPS"}
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}


def made(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", *words],
        check=False,
        cwd=PROJECT,
        env=CLEAN | environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


def make(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    # -n prints what would run; what is refused is refused all the same.
    return made("-n", *words, **environment)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("stop INVENTORY=i HOST_LIMIT=w1", "make stop doesn't take HOST_LIMIT: it is for make dra"),
        ("status INVENTORY=i LINES=5", "make status doesn't take LINES: it is for make logs."),
        ("run-distributed USRES=5", "doesn't take USRES: is USERS meant?"),
        ("run-distributed user=5", "doesn't take user: is USERS meant?"),
        ("run-distributed RUNTIME=5m", "doesn't take RUNTIME: is RUN_TIME meant?"),
        ("run-distributed RunTime=5m USERS=5", "doesn't take RunTime: is RUN_TIME meant?"),
        ("drain HOSTLIMIT=w1 INVENTORY=i", "doesn't take HOSTLIMIT: is HOST_LIMIT meant?"),
        ("deploy INVENTROY=i", "doesn't take INVENTROY: is INVENTORY meant?"),
        ("check USERS=5", "make check doesn't take USERS: it is for make run-distributed."),
        ("USERS=5", "make help doesn't take USERS"),
        ("run-distributed ACCOUNTS=a.csv", "such as ACCOUNTS=… make run-distributed."),
        ("lab-down PURGE=maybe", "PURGE=maybe can't be used: give PURGE=1 or PURGE=0"),
        ("run-distributed QUIET=a$(touch${IFS}pwned)", "give QUIET=1 or QUIET=0"),
        ("run-distributed x'$(touch${IFS}pwned)=5", "doesn't take x'"),
    ],
)
def test_a_variable_that_a_target_does_not_take_is_refused(line: str, sentence: str) -> None:
    refused = make(*line.split())
    assert refused.returncode == 2
    assert sentence in refused.stderr
    assert "Nothing was started" in refused.stderr
    assert refused.stdout == ""
    assert not (PROJECT / "pwned").exists()


def test_a_limit_from_the_environment_does_not_end_the_whole_run() -> None:
    refused = make("stop", "INVENTORY=inventory/sample", HOST_LIMIT="worker1")
    assert refused.returncode == 2
    assert "make stop doesn't take HOST_LIMIT" in refused.stderr


def last_line(*words: str) -> list[str]:
    told = make(*words)
    assert told.returncode == 0, told.stderr
    return told.stdout.splitlines()[-1].split()


@pytest.mark.parametrize("typed", ["-- --spike-users 3", "--spike-users 3"])
def test_locusts_options_follow_the_dashes_however_they_are_typed(typed: str) -> None:
    words = last_line("run-distributed", f"LOCUST_OPTIONS={typed}", "QUIET=1")
    assert words[2:] == ["run", "--quiet", "--", "--spike-users", "3"]


def test_a_flag_is_off_when_it_says_so() -> None:
    given = ("INSECURE_TARGET=no", "QUIET=0", "SKIP_TARGET_CHECK=yes", "REQUEST_LOG=0.1")
    words = last_line("run-distributed", *given)
    assert words[2:] == ["run", "--request-log", "'0.1'", "--skip-target-check"]


def test_several_targets_take_what_one_of_them_takes() -> None:
    assert (
        make("deploy", "run-distributed", "INVENTORY=inventory/sample", "USERS=5").returncode == 0
    )


def test_tools_variables_are_taken_everywhere() -> None:
    assert make("check", "PYTHON=python3", "PYTEST_ADDOPTS=-x", "VENV=.venv").returncode == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("run-distributed USERS=many", "USERS 'many' can't be used: it must be a whole number"),
        ("run-distributed ENV_FILE=no.env", "ENV_FILE no.env can't be read"),
        ("drain INVENTORY=inventory/sample HOST_LIMIT=worker9", "HOST_LIMIT worker9 names"),
        (
            "run-distributed LOCUST_OPTIONS=--workers",
            "WORKERS is an option of make run-distributed",
        ),
    ],
)
def test_who_typed_make_reads_of_makes_variables(line: str, said: str) -> None:
    refused = made(*line.split())
    assert refused.returncode == 2
    assert said in refused.stderr


@pytest.mark.parametrize("target", sorted(targets()))
def test_a_target_takes_what_its_help_names(target: str) -> None:
    text = (PROJECT / "Makefile").read_text()
    words = re.search(rf"^{target}:.*## (.*)$", text, re.MULTILINE)
    assert words
    named = set(re.findall(r"\b[A-Z]{3,}(?:_[A-Z]+)*\b", words[1])) - NO_VARIABLES
    assert named <= set(targets()[target])


def set_up(tmp_path: Path, python: str) -> subprocess.CompletedProcess[str]:
    """Set an environment up with a program that stands for Python."""
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n{python}\n')
    program.chmod(0o755)
    return made("run-distributed", f"PYTHON={program}", f"VENV={tmp_path}/venv")


def test_a_python_that_is_too_old_is_named_and_nothing_is_set_up(tmp_path: Path) -> None:
    refused = set_up(tmp_path, "exit 1")
    assert refused.returncode == 2
    assert f"is needed and {tmp_path}/python is none of these: install it" in refused.stderr
    assert not (tmp_path / "venv").exists()


def test_an_environment_whose_making_was_interrupted_is_made_again(tmp_path: Path) -> None:
    left = tmp_path / "venv" / "bin" / "python"
    left.parent.mkdir(parents=True)
    left.write_text("#!/bin/sh\nexit 1\n")
    left.chmod(0o755)
    assert "Setting up" in set_up(tmp_path, "exit 0").stdout
    assert (tmp_path / "calls").read_text() == f"-m venv {tmp_path}/venv\n"
