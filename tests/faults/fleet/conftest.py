"""The lab's fleet, as the lab's own tests use it; without a lab the cases have no outcome."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import deployed, loadgen
from tests.lab.fleet import INVENTORY, Loadgen, await_idle, deploy, on_host

__all__ = ["deployed", "loadgen"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip every test when the lab is not up."""
    missing = pytest.mark.skip(reason="the lab is not up: run make lab")
    for item in items:
        if not INVENTORY.exists() and item.path.parent == Path(__file__).parent:
            item.add_marker(missing)


@pytest.fixture
def fleet(loadgen: Loadgen) -> Iterator[Loadgen]:
    """The command on an idle fleet; afterwards nothing is under way and the next run passes."""
    yield loadgen
    loadgen("stop")
    try:
        await_idle(loadgen)
    except AssertionError:
        on_host("master1", "systemctl restart loadgen-master loadgen-exporter")
        deploy()
    code, output = loadgen("run", "--users", "2", "--run-time", "2s")
    assert code == 0, output
