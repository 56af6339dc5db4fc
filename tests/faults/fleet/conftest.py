"""The lab's fleet, as the lab's own tests use it; the lab is brought up if need be."""

import subprocess
from collections.abc import Iterator

import pytest

from tests.faults.fleet.broken import received, strays
from tests.faults.record import MARKER, Outcome
from tests.lab.conftest import HARD_TIMEOUT_SECONDS, loadgen
from tests.lab.fleet import INVENTORY, PROJECT, Loadgen, await_idle, deploy, on_host

__all__ = ["loadgen"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the fleet's cases the time that deploys take."""
    for item in items:
        if "faults/fleet" in item.path.as_posix():
            item.add_marker(pytest.mark.timeout(HARD_TIMEOUT_SECONDS))


@pytest.fixture(scope="session")
def lab_up() -> Iterator[None]:
    """Bring up a lab of two worker hosts, and down again, unless there is one."""
    was_up = INVENTORY.exists()
    if not was_up:
        command = ["make", "lab", "LAB_WORKERS=2"]
        subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    yield
    if not was_up:
        subprocess.run(["make", "lab-down"], cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="session")
def deployed(lab_up: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:  # noqa: ARG001
    """Deploy once; on a fleet that is deployed already this changes nothing."""
    deploy()
    yield
    code, output = Loadgen(tmp_path_factory.mktemp("last"))("run", "--run-time", "2s")
    assert code == 0, output


@pytest.fixture
def fleet(loadgen: Loadgen, outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loadgen]:
    """The command on an idle fleet; afterwards it is idle, no process is left and no load goes on.

    That it works the next time, the next case shows: it begins with a run that gets its load.
    """
    yield loadgen
    try:
        await_idle(loadgen)
    except AssertionError:
        monkeypatch.delenv(MARKER, raising=False)  # SSH keeps connections open for a while
        loadgen("stop")
        on_host("master1", "systemctl restart loadgen-master loadgen-exporter")
        deploy()
        await_idle(loadgen)
        raise
    finally:
        had = received()
        left = strays()
        outcome.row.processes_left += len(left)
    assert not left, left
    assert received() == had, "the load goes on although the run is over"
