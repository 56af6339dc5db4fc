"""Shares tests out over parallel processes (pytest-xdist): single runs singly, the rest by file.

A file whose tests look at one run that they share stays in one process. Slow files come first, so
that the end doesn't wait for them.
"""

from functools import cache
from pathlib import Path

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling

SHARES_A_RUN = ("shared_loadgen", 'scope="module"')


@cache
def _shares(file: str) -> bool:
    text = Path(file).read_text()
    return any(sign in text for sign in SHARES_A_RUN)


class Sharing(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """A scope is what one process does in one go."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        alone = file.startswith("tests/local/") and not _shares(file)
        return nodeid if alone else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Sharing:
    """Share out as said above, in the order of collection."""
    config.option.loadscopereorder = False
    return Sharing(config, log)
