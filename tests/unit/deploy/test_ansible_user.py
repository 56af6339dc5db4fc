"""A user without a name or a home that can be written to is told so, before Ansible or ssh is."""

import os
import pwd
from pathlib import Path

import pytest

from loadgen.cli import deploy, main
from loadgen.deploy.ansible_user import require_user
from loadgen.shared.errors import UsageError

NOWHERE = "/proc/nowhere"  # Not even root can make a directory there.


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let nothing in the environment change Ansible's places, and this process stay itself."""
    for name in [name for name in os.environ if name.startswith("ANSIBLE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(deploy, "become", lambda *_, **__: 0)


@pytest.mark.parametrize(
    "words",
    [
        *(["lab"], ["lab-down"], ["run", "--inventory", "mine"]),
        *([verb, "--inventory", "mine"] for verb in ("deploy", "verify", "status", "stop", "logs")),
    ],
    ids=lambda words: words[0],
)
def test_a_home_that_cannot_be_written_is_named_with_what_to_do(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", NOWHERE)
    with pytest.raises(SystemExit) as ended:
        main.main(words)
    assert ended.value.code == UsageError.exit_code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"loadgen: Ansible can't write to {NOWHERE}/.ansible/tmp")
    assert "set HOME or ANSIBLE_HOME to a directory of your own" in line


def test_a_user_without_a_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(UsageError, match=f"user id {os.getuid()} has no name on this machine"):
        require_user()


def test_directories_elsewhere_are_as_good(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", NOWHERE)
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "own"))
    require_user()
    assert (tmp_path / "own" / "tmp").is_dir()
    monkeypatch.setenv("ANSIBLE_LOCAL_TEMP", f"{NOWHERE}/tmp")
    with pytest.raises(UsageError, match=f"{NOWHERE}/tmp"):
        require_user()
    monkeypatch.setenv("ANSIBLE_CONFIG", "own.cfg")
    require_user()


def test_without_a_home_variable_the_home_of_the_password_database_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HOME")
    entry = (*pwd.getpwuid(os.getuid())[:5], str(tmp_path / "home"), "/bin/sh")
    monkeypatch.setattr(pwd, "getpwuid", lambda _: pwd.struct_passwd(entry))
    require_user()
    assert (tmp_path / "home" / ".ansible" / "cp").is_dir()
