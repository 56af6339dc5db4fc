"""Shares tests out over parallel processes (pytest-xdist): runs first and few at once.

A run waits more than it works, and is invalid when its generator waits for a core. So at most
`RUNS_AT_ONCE` processes start runs, and a test that starts none gives way to them: it keeps the
cores busy at a lower priority. Single runs are shared out singly, the rest by file: a file whose
tests look at one run that they share stays in one process.
"""

import contextlib
import os
from functools import cache
from pathlib import Path

import pytest
from xdist.scheduler.loadscope import LoadScopeScheduling
from xdist.workermanage import WorkerController

RUNS = ("tests/local/", "tests/monitoring/")
RUNS_AT_ONCE = 4
SHARES_A_RUN = ("shared_loadgen", 'scope="module"')
GIVING_WAY = 10


@cache
def _shares(file: str) -> bool:
    text = Path(file).read_text()
    return any(sign in text for sign in SHARES_A_RUN)


def _starts_runs(nodeid: str) -> bool:
    return nodeid.startswith(RUNS)


class Sharing(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """A scope is what one process does in one go; the first processes begin with the runs."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        alone = file.startswith("tests/local/") and not _shares(file)
        return nodeid if alone else file

    def _next_scope(self, node: WorkerController) -> str | None:
        for_runs = int(node.gateway.id.removeprefix("gw")) < RUNS_AT_ONCE
        runs = [scope for scope in self.workqueue if _starts_runs(scope)]
        quick = [scope for scope in self.workqueue if not _starts_runs(scope)]
        return next(iter([*runs, *quick] if for_runs else quick), None)

    def _assign_work_unit(self, node: WorkerController) -> None:
        scope = self._next_scope(node)
        if scope is None:
            node.shutdown()
            return
        self.workqueue.move_to_end(scope, last=False)
        super()._assign_work_unit(node)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Sharing:
    """Share out as said above, in the order of collection."""
    config.option.loadscopereorder = False
    return Sharing(config, log)


class GiveWay:
    """Lowers a process's priority for good, once it has come to what starts no runs."""

    def __init__(self) -> None:
        self._given = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Look what the test is; runs come first, so that a process never needs to come back."""
        if not self._given and not _starts_runs(item.nodeid):
            self._given = True
            _lower_priority()


def _lower_priority() -> None:
    os.nice(GIVING_WAY)
    # Where Linux shares cores by session before it looks at priorities, the session is lowered.
    with contextlib.suppress(OSError):
        os.setsid()
        Path("/proc/self/autogroup").write_text(str(GIVING_WAY))


def pytest_collection_finish(session: pytest.Session) -> None:
    """Let tests give way in a process of several, when there are runs to give way to."""
    if "PYTEST_XDIST_WORKER" in os.environ and any(_starts_runs(i.nodeid) for i in session.items):
        session.config.pluginmanager.register(GiveWay())
