"""One import of Locust serves every process of a run, and each is what it would be by itself."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadgen.cluster.inspection import look_from
from loadgen.cluster.nursery import Nursery
from loadgen.shared.errors import OperationError
from loadgen.shared.processes import Child
from tests.waiting import await_

LOCUSTFILE = """
import os
from locust import User, task
assert os.environ["SAID"] == "{said}"
class {name}(User):
    @task
    def nothing(self): pass
"""
SLOW = "import time\nprint('up', flush=True)\ntime.sleep(60)\n"


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    one = Nursery(tmp_path_factory.mktemp("nursery") / "log")
    yield one
    one.kill()


def _child(nursery: Nursery, directory: Path, locustfile: str) -> Child:
    file = directory / "locustfile.py"
    file.write_text(locustfile)
    words = ["loadgen.node.locustfile_check", str(file)]
    return Child("one", words, directory / "log", start=nursery.start)


@pytest.mark.parametrize("name", ["First", "Second"])
def test_each_process_begins_anew(nursery: Nursery, tmp_path: Path, name: str) -> None:
    file = tmp_path / "locustfile.py"
    file.write_text(LOCUSTFILE.format(name=name, said=name))
    found = look_from(nursery.start, [str(file)], {**os.environ, "SAID": name}, None)
    assert (found.error, list(found.user_classes)) == (None, [name])


def test_a_locustfile_that_ends_its_process_is_told_of(nursery: Nursery, tmp_path: Path) -> None:
    file = tmp_path / "locustfile.py"
    file.write_text("import os, sys\nprint('bad luck', file=sys.stderr, flush=True)\nos._exit(3)\n")
    assert look_from(nursery.start, [str(file)], os.environ, None).error == "bad luck"


def test_a_process_has_its_own_name_and_session_and_can_be_killed(
    nursery: Nursery, tmp_path: Path
) -> None:
    child = _child(nursery, tmp_path, SLOW)
    await_(lambda: "up" in child.log.read_text(), "the start")
    words = Path(f"/proc/{child.pid}/cmdline").read_bytes().split(b"\0")
    assert words[1:4] == [
        b"-m",
        b"loadgen.node.locustfile_check",
        os.fsencode(tmp_path / "locustfile.py"),
    ]
    assert os.getsid(child.pid) == child.pid
    os.kill(child.pid, signal.SIGKILL)


def test_children_are_ours_when_the_nursery_has_gone(tmp_path: Path) -> None:
    nursery = Nursery(tmp_path / "nursery.log")
    child = _child(nursery, tmp_path, SLOW)
    await_(lambda: "up" in child.log.read_text(), "the start")
    nursery.close()
    assert child.alive
    os.kill(child.pid, signal.SIGKILL)
    await_(lambda: child.fault, "the end")
    assert "SIGKILL" in str(child.fault)
    with pytest.raises(OperationError, match="no process could be started"):
        nursery.start(["loadgen.node.locustfile_check"], {}, [1, 2])
