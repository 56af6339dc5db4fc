"""The command as its own tests run it, and a target that counts what it gets."""

from collections.abc import Iterator

import pytest

from tests.faults.driving import Target
from tests.local.conftest import loadgen
from tests.servers import simulator

__all__ = ["loadgen"]


@pytest.fixture
def target() -> Iterator[Target]:
    """A bundled target in a process of its own."""
    with simulator("hello") as url:
        yield Target(url)
