"""Root's modules in a directory of the runs' user: links, second names and races lead nowhere."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from loadgen.fleet.connections.ssh import PYTHON
from loadgen.shared.project import PROJECT
from tests.attackers.racing import racing
from tests.faults.record import Outcome
from tests.unit.playbooks.modules import run_module

PART = "Attackers: files of root"
NOBODY = 65534
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be led astray")


@pytest.fixture
def tmp_path(open_directory: Path) -> Path:
    """Where `nobody` gets to."""
    return open_directory


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """/run/loadgen as a host has it: the runs' user's own, and that user is `nobody`."""
    state = tmp_path / "run"
    state.mkdir(0o755)
    os.chown(state, NOBODY, -1)
    return state


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    secret = tmp_path / "secret"
    secret.write_text("root's")
    secret.chmod(0o600)
    return secret


def join(state: Path, content: str = "new", owner: str = "nobody") -> dict[str, object]:
    files = {"run.json": content}
    modes = {"mode": "0600", "directory_mode": "0755"}
    return run_module("directory_files", path=str(state), files=files, owner=owner, **modes)


def untouched(secret: Path) -> bool:
    found = secret.stat()
    return (secret.read_text(), found.st_uid, found.st_mode & 0o777) == ("root's", 0, 0o600)


@pytest.mark.fault(PART, "run.json is a link, a dangling link, a hard link, a pipe or a directory.")
def test_what_lies_in_the_way_is_replaced_and_never_followed(
    state: Path, secret: Path, tmp_path: Path, outcome: Outcome
) -> None:
    place = state / "run.json"
    for plant in (
        lambda: place.symlink_to(secret),
        lambda: place.symlink_to(tmp_path / "made-by-root"),
        lambda: place.hardlink_to(secret),
        lambda: os.mkfifo(place),
    ):
        place.unlink(missing_ok=True)
        plant()  # type: ignore[no-untyped-call]
        assert join(state).get("changed"), plant
        assert place.read_text() == "new"
        assert place.lstat().st_uid == NOBODY
    place.unlink()
    place.mkdir()
    assert join(state)["failed"]
    assert untouched(secret)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "secret"]
    outcome(
        "The deploy replaces it with a file of user `loadgen`, or fails; root's files are "
        "unchanged."
    )


def test_a_second_name_of_the_same_content_is_not_handed_over(state: Path, secret: Path) -> None:
    (state / "run.json").hardlink_to(secret)
    join(state, "root's")

    assert untouched(secret)


def test_a_directory_that_is_a_link_is_refused(state: Path, tmp_path: Path) -> None:
    roots = tmp_path / "roots"
    roots.mkdir()
    (state / "inner").symlink_to(roots)
    answer = run_module(
        "directory_files", path=str(state / "inner"), files={"a": "b", "c/d": "e"}, owner="nobody"
    )

    assert answer["failed"]
    assert list(roots.iterdir()) == []
    assert roots.stat().st_uid == 0


RACE = """
import contextlib, os, sys
state, elsewhere, user = sys.argv[1:]
for become in (os.setresgid, os.setresuid):
    become(int(user), int(user), int(user))
print("ready", flush=True)
while True:
    for name in os.listdir(state):
        if name.startswith(".loadgen-") and not name.endswith(".moved"):
            with contextlib.suppress(OSError):
                os.rename(f"{state}/{name}", f"{state}/{name}.moved")
                os.symlink(elsewhere, f"{state}/{name}")
"""


@pytest.mark.fault(
    PART,
    "The user `loadgen` replaces each new file of root with a link as soon as it exists (a race).",
)
def test_a_race_of_links_gets_nothing_of_roots(
    state: Path, secret: Path, tmp_path: Path, outcome: Outcome
) -> None:
    files = {f"file{number}": "new" for number in range(300)} | {"secret": "new"}
    with racing(RACE, state, secret.parent, NOBODY):
        answers = [
            run_module("directory_files", path=str(state), files=files, owner="nobody"),
            run_module("directory_files", path=str(state), files=files, owner="nobody"),
        ]
    moved = [path for path in state.iterdir() if path.name.endswith(".moved")]
    strange = [path.name for path in tmp_path.iterdir() if path.name not in ("run", "secret")]
    assert moved, "the race was not run"
    assert strange == []
    assert untouched(secret)
    # Root may be kept from writing, and says so; it never follows.
    assert answers[0].get("changed") or answers[0].get("failed"), answers
    after = run_module("directory_files", path=str(state), files=files, owner="nobody")
    assert not after.get("failed"), after
    assert {(state / name).lstat().st_uid for name in files} == {NOBODY}
    outcome("Root wrote 301 files in the right directory, and no file to which a link pointed.")


@pytest.mark.fault(
    PART,
    "A host that joins a run finds a run.json that is a link, a pipe, owned by root, 300 "
    "MB or no JSON.",
)
def test_what_root_reads_is_the_runs_own_and_short(
    state: Path, secret: Path, outcome: Outcome
) -> None:
    place = state / "run.json"

    def read() -> dict[str, object]:
        return run_module("run_file", path=str(place), owner="nobody")

    def owned(text: str) -> None:
        place.write_text(text)
        os.chown(place, NOBODY, -1)

    def sparse() -> None:
        owned("")
        os.truncate(place, 300 << 20)

    plants = (
        lambda: place.symlink_to(secret),
        lambda: place.hardlink_to(secret),
        lambda: os.mkfifo(place),
        lambda: place.write_text('{"run_id": "x"}'),
        sparse,
        lambda: owned("[]"),
        lambda: owned("{{ lookup('file', '/etc/shadow') }}"),
        lambda: owned("[" * 100_000),
        lambda: owned('{"run_id": "x", "slos": ' + "[" * 900 + "]" * 900 + "}"),
        lambda: owned('{"run_id": "x", "slos": ' + '{"a": ' * 30 + "1" + "}" * 31),
        lambda: owned('{"run_id": 7}'),
    )
    for plant in plants:
        place.unlink(missing_ok=True)
        plant()
        answer = read()
        assert answer.get("failed"), answer
        assert "root's" not in json.dumps(answer)
        assert "stop the run" in str(answer["msg"])
    place.unlink()
    owned('{"run_id": "20261121T101500Z-hello-3f9a"}')
    assert read()["run"] == {"run_id": "20261121T101500Z-hello-3f9a"}
    outcome(f"All {len(plants)} such files are refused with a one-sentence error.")


@pytest.mark.fault(
    PART, "Between two looks at a file, its name becomes a second name of a file of root's."
)
def test_a_second_name_of_roots_file_is_given_to_nobody(
    state: Path, secret: Path, outcome: Outcome
) -> None:
    place = PROJECT / "playbooks" / "library" / "directory_files.py"
    specification = importlib.util.spec_from_file_location("directory_files", place)
    assert specification
    assert specification.loader
    library = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(library)
    given = {"path": str(state), "files": {"a": "root's"}, "owner": "nobody", "group": None}
    params: dict[str, object] = {
        **given,
        "mode": "0666",
        "directory_mode": None,
        "validate": [],
        "purge": [],
    }
    directory = library.Directory(SimpleNamespace(params=params, check_mode=False))
    (state / "a").write_text("root's")
    assert not directory.is_stale("a")
    (state / "a").unlink()
    (state / "a").hardlink_to(secret)

    directory.mend("a")

    assert untouched(secret)
    assert directory.is_stale("a")
    outcome("Root leaves a file with a second name as it is, and writes a new one next time.")


def test_roots_agent_takes_no_modules_from_an_environment(tmp_path: Path) -> None:
    (tmp_path / "planted.py").write_text("print('planted')")
    options = PYTHON.split()[1:]
    shown = subprocess.run(
        [sys.executable, *options, "-m", "planted"],
        env={"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin"},
        cwd="/", capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert shown.returncode
    assert "planted\n" not in shown.stdout
