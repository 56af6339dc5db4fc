"""One simulator for the module's tests, a clock to move, and visitors of their own."""

from collections.abc import Iterator

import pytest

from loadgen.simulators.dspace import build
from tests.servers import serving
from tests.unit.simulators.dspace.visitor import Clock, Visitor


@pytest.fixture(scope="session")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def dspace_url(clock: Clock) -> Iterator[str]:
    with serving(build(42, clock)) as url:
        yield url


@pytest.fixture
def visitor(dspace_url: str) -> Iterator[Visitor]:
    with Visitor(dspace_url) as made:
        yield made


@pytest.fixture
def member(dspace_url: str) -> Iterator[Visitor]:
    """A visitor who is logged in with an account that no other fixture uses."""
    with Visitor(dspace_url) as made:
        made.login("user0001@example.org")
        yield made


@pytest.fixture
def administrator(dspace_url: str) -> Iterator[Visitor]:
    with Visitor(dspace_url) as made:
        made.login("admin@example.org")
        yield made
