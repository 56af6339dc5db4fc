"""The lab, and its fleet deployed once a module; every test leaves it idle, whole and on time.

With LAB_IS_READY=1 the lab is up and its fleet deployed, and both stay.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.fleet import INVENTORY, PROJECT, Loadgen, await_idle, deploy

HARD_TIMEOUT_SECONDS = 1500
IS_READY = os.environ.get("LAB_IS_READY") == "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the lab's tests the time that deploys take."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(HARD_TIMEOUT_SECONDS))


@pytest.fixture(scope="session", autouse=True)
def lab_up() -> Iterator[None]:
    """Bring the lab up, and down again if it wasn't up before."""
    if IS_READY:
        yield
        return
    was_up = INVENTORY.exists()
    subprocess.run(["make", "lab"], cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    yield
    if not was_up:
        subprocess.run(["make", "lab-down"], cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def deployed() -> None:
    """Deploy once; on a fleet that is deployed already this changes nothing."""
    if not IS_READY:
        deploy()


@pytest.fixture
def loadgen(tmp_path: Path, deployed: None) -> Loadgen:  # noqa: ARG001 - for its effect
    """Return the command on a fleet that is deployed and idle."""
    ready = Loadgen(tmp_path / "results")
    await_idle(ready)
    return ready
