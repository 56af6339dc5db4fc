"""The lab's fleet, deployed once a module; every test leaves it idle, whole and on time."""

from pathlib import Path

import pytest

from tests.lab.fleet import INVENTORY, Loadgen, await_idle, deploy


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip every test when the lab is not up."""
    missing = pytest.mark.skip(reason="the lab is not up: run make lab")
    for item in items:
        if not INVENTORY.exists() and item.path.parent == Path(__file__).parent:
            item.add_marker(missing)


@pytest.fixture(scope="module")
def deployed() -> None:
    """Deploy once; on a fleet that is deployed already this changes nothing."""
    deploy()


@pytest.fixture
def loadgen(tmp_path: Path, deployed: None) -> Loadgen:  # noqa: ARG001 - for its effect
    """Return the command on a fleet that is deployed and idle."""
    ready = Loadgen(tmp_path / "results")
    await_idle(ready)
    return ready
