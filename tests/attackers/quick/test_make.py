"""Every variable that make hands on arrives as it is, whatever a shell or make reads into it."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.record import Outcome

PROJECT = Path(__file__).resolve().parents[3]
PWNED = "pwned"
VALUES = (
    f"$(shell touch {PWNED})",
    f"$$(touch {PWNED})",
    f"`touch {PWNED}`",
    f"'; touch {PWNED}; '",
    f'"; touch {PWNED}; "',
    f"x; touch {PWNED} #",
    f"x && touch {PWNED}",
    f"x\ntouch {PWNED}",
    f"'\ntouch {PWNED}\n'",
    f"${{IFS}}touch${{IFS}}{PWNED}",
    "{{ lookup('pipe', 'touch pwned') }}",
    "two words * ~ % \\ $ $$ # é",
)
RUN = """LOCUSTFILE HOST USERS SPAWN_RATE RUN_TIME WORKERS TAGS EXCLUDE_TAGS USER_CLASSES
STOP_TIMEOUT WEB_PORT TLS_CERT TLS_KEY MASTER_BIND_PORT EXPORTER_PORT RESULTS INVENTORY EXPERIMENT
VAULT_PASSWORD_FILE VAULT_ID WARM_UP ARRIVAL_RATE REQUEST_LOG ALLOW_MISSING ENV_FILE""".split()  # noqa: SIM905  it reads like the Makefile's own list
TARGETS = {
    "run-distributed": RUN,
    "probe": ("LOCUSTFILE", "HOST"),
    "record": ("HAR", "OUTPUT", "HOST"),
    "simulator": ("NAME", "LISTEN"),
    "alarm-study": ("SPEED", "SEED"),
    "status": ("INVENTORY",),
    "stop": ("INVENTORY", "RESULTS"),
    "logs": ("INVENTORY", "RESULTS", "HOST_LIMIT", "LINES"),
    "drain": ("INVENTORY", "HOST_LIMIT"),
    "deploy": ("INVENTORY", "LOCUSTFILE"),
    "verify": ("INVENTORY",),
    "rotate": ("INVENTORY",),
    "teardown-workers": ("INVENTORY",),
    "teardown": ("INVENTORY",),
}
# Stands in for every program that a recipe starts, and keeps the words that it was given.
RECORDER = f"""#!{sys.executable}
import json, sys
with open({{kept!r}}, "a") as kept:
    kept.write(json.dumps(sys.argv[1:]) + "\\n")
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with a recorder in the place of each program of the environment."""
    programs = tmp_path / "venv" / "bin"
    programs.mkdir(parents=True)
    for name in ("python", "loadgen", "ansible-playbook"):
        program = programs / name
        program.write_text(RECORDER.format(kept=str(tmp_path / "kept")))
        program.chmod(0o755)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "pyproject.toml").touch()
    for role in ("node", "results", "target", "controller", "dev"):
        (tmp_path / "requirements" / f"{role}.txt").touch()
    for stamp in (".node", ".target", ".controller", ".dev"):
        (tmp_path / "venv" / stamp).touch()
    return tmp_path


def words_of(place: Path, target: str, given: dict[str, str], by_environment: bool) -> list[str]:
    """Run a target; return every word that its programs got."""
    typed = [f"{name}={value}" for name, value in given.items()]
    command = ["make", "-f", str(PROJECT / "Makefile"), f"VENV={place / 'venv'}", target]
    subprocess.run(
        command if by_environment else [*command, *typed],
        cwd=place,
        env={**os.environ, **(given if by_environment else {}), "MAKEFLAGS": ""},
        check=True,
        capture_output=True,
        timeout=60,
    )
    kept = place / "kept"
    words = [word for line in kept.read_text().splitlines() for word in json.loads(line)]
    kept.unlink()
    return words


def arrived(value: str, words: list[str]) -> bool:
    escaped = json.dumps(value)[1:-1]
    return any(value == word or escaped in word for word in words)


@pytest.mark.fault(
    "Attackers: names and files",
    "Each variable of each make target contains characters that are special to the shell or make.",
)
def test_a_value_arrives_as_it_is_and_starts_nothing(place: Path, outcome: Outcome) -> None:
    # Each variable gets each value in turn, all variables of a verb at once.
    tried = 0
    for target, names in TARGETS.items():
        for shift in range(0, len(VALUES), 1 if target in ("run-distributed", "deploy") else 4):
            values = itertools.islice(itertools.cycle(VALUES), shift, None)
            given = dict(zip(names, values, strict=False))
            if "INVENTORY" in given:
                (place / given["INVENTORY"]).touch()
            by_environment = shift % 2 == 1
            words = words_of(place, target, given, by_environment)
            assert not (place / PWNED).exists(), f"{target} with {given} started something"
            for name, value in given.items():
                ignored = name == "HOST" and by_environment
                assert ignored or arrived(value, words), f"{target} {name}={value!r}: {words}"
                tried += 1
    outcome(f"{tried} values arrive unchanged, and no command in these values is executed.")


def test_an_inventory_that_is_not_there_is_named_and_starts_nothing(place: Path) -> None:
    for value in VALUES:
        command = ["make", "-f", str(PROJECT / "Makefile"), f"VENV={place / 'venv'}", "status"]
        ended = subprocess.run(
            [*command, f"INVENTORY={value}"],
            check=False,
            cwd=place,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ended.returncode == 2
        assert "does not exist, and nothing was changed" in ended.stderr
        assert not (place / PWNED).exists()


def test_each_word_of_env_is_one_variable_and_only_when_it_is_typed(place: Path) -> None:
    value = "TOKEN URL=it's$(touch${IFS}pwned)`touch pwned`\nOTHER=1"
    words = words_of(place, "run-distributed", {"ENV": value}, by_environment=False)
    given = [word for flag, word in itertools.pairwise(words) if flag == "--env"]
    assert given == ["TOKEN", "URL=it's$(touch${IFS}pwned)`touch", "pwned`", "OTHER=1"]
    assert not (place / PWNED).exists()
    assert "--env" not in words_of(place, "run-distributed", {"ENV": "~/.kshrc"}, True)


def test_no_environment_is_set_up_from_what_could_run_code_at_its_installation() -> None:
    lines = (PROJECT / "Makefile").read_text().splitlines()
    installs = [line for line in lines if "pip install" in line]
    locked, own = installs
    assert "--no-deps --require-hashes --only-binary :all:" in locked
    assert "--no-deps --no-build-isolation --no-index -e ." in own
