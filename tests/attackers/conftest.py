"""The command as its own tests run it, for those who attack a run; a directory for other users."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.local.conftest import loadgen

__all__ = ["loadgen"]


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """A directory that another user can reach: pytest closes its own whenever a session begins."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
