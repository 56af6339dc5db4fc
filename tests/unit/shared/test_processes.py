import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from loadgen.shared.processes import Child, end_all, last_telling_line
from loadgen.shared.project import PROJECT
from tests.waiting import await_


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that a child can run: it prints, then waits or ends as its name says."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    (tmp_path / "waits.py").write_text("import time\nprint('up', flush=True)\ntime.sleep(60)\n")
    (tmp_path / "fails.py").write_text("raise RuntimeError('no disk')\n")
    (tmp_path / "stubborn.py").write_text(
        "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('up', flush=True)\ntime.sleep(60)\n"
    )
    return tmp_path


def wait_until(condition: Callable[[], object]) -> None:
    await_(condition, "the condition")


def wait_until_up(child: Child) -> None:
    wait_until(lambda: "up" in child.log.read_text())


def test_fault_names_exit_and_last_error(script: Path) -> None:
    child = Child("one", ["fails"], script / "log")

    wait_until(lambda: child.fault)

    assert "ended with exit 1" in str(child.fault)
    assert "RuntimeError: no disk" in str(child.fault)
    child.kill()


def test_fault_names_the_signal(script: Path) -> None:
    child = Child("one", ["waits"], script / "log")
    os.kill(child.pid, signal.SIGKILL)
    wait_until(lambda: child.fault)

    assert "was ended by SIGKILL" in str(child.fault)
    child.kill()


def test_child_that_was_asked_to_end_has_no_fault(script: Path) -> None:
    child = Child("one", ["waits"], script / "log")
    wait_until_up(child)

    assert end_all([child]) == []
    assert child.fault is None


def test_stubborn_child_is_killed_and_named(script: Path) -> None:
    child = Child("stubborn", ["stubborn"], script / "log")
    wait_until_up(child)

    assert end_all([child], timeout_seconds=0.3) == ["stubborn"]
    assert not child.alive


def test_a_stopped_child_hears_that_it_is_to_end_when_it_is_resumed(script: Path) -> None:
    child = Child("one", ["waits"], script / "log")
    wait_until_up(child)
    os.kill(child.pid, signal.SIGSTOP)

    child.resume()

    assert end_all([child]) == []
    child.resume()


def test_a_child_that_is_asked_to_end_may_end_badly(script: Path) -> None:
    (script / "late.py").write_text(
        "import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(4))\n"
        "print('up', flush=True)\ntime.sleep(60)\n"
    )
    good = Child("good", ["waits"], script / "good")
    bad = Child("bad", ["late"], script / "bad")
    wait_until_up(good)
    wait_until_up(bad)
    assert good.bad_end is None

    assert end_all([good, bad]) == []

    assert good.bad_end is None
    assert "ended with exit 4" in str(bad.bad_end)


def test_last_telling_line_prefers_an_error(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("start\nValueError: it\nbye\n\n")

    assert last_telling_line(log) == "ValueError: it"
    assert last_telling_line(tmp_path / "none") == ""


def test_last_telling_line_is_the_exception_whatever_its_name(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "[10:00] ERROR/root: Uncaught exception in event handler:\n"
        'Traceback (most recent call last):\n  File "x.py", line 1, in init\n    raise NotReady()\n'
        "x.NotReady: the licence server said no\n[10:00] INFO/root: shutting down\n"
    )
    assert last_telling_line(log) == "x.NotReady: the licence server said no"


@pytest.mark.parametrize("patched", [True, False], ids=["gevent", "threads"])
def test_child_ends_when_its_starter_is_gone(tmp_path: Path, patched: bool) -> None:
    """In a patched process the wait must let other greenlets run."""
    patch = "from gevent import monkey; monkey.patch_all()\n" if patched else ""
    (tmp_path / "child.py").write_text(
        f"{patch}import sys, time\n"
        "from loadgen.shared.processes import hold_lifeline\n"
        "hold_lifeline(int(sys.argv[2]))\ntime.sleep(0.01)\n"
        "print('up', flush=True)\ntime.sleep(60)\n"
    )
    environment = {"PYTHONPATH": f"{tmp_path}:{PROJECT}"}
    child = Child("one", ["child"], tmp_path / "log", environment, lifeline=True)
    wait_until_up(child)

    child._close_lifeline()

    wait_until(lambda: not child.alive)
    assert "SIGTERM" in str(child.fault)


def test_a_module_where_the_user_is_hides_none_of_the_kits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "argparse.py").write_text("raise RuntimeError('a file of the user')\n")
    (tmp_path / "locust.py").write_text("raise RuntimeError('a file of the user')\n")
    monkeypatch.chdir(tmp_path)
    child = Child("one", ["loadgen", "--version"], tmp_path / "log")
    assert child.wait(30)
    assert "loadgen" in child.log.read_text()
    assert "a file of the user" not in child.log.read_text()
