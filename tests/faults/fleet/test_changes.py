"""Changes of a fleet that meet a run."""

import pytest

from tests.faults.fleet.broken import Broken
from tests.faults.record import MARKER, Outcome
from tests.lab.fleet import Loadgen, deploy, make, on_host

PART = "Fleet"


@pytest.mark.fault(PART, "make teardown-workers under a run")
def test_teardown_under_a_run(
    fleet: Loadgen, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Broken(fleet, seconds=300)
    monkeypatch.delenv(MARKER)  # SSH keeps connections open for a while
    make("teardown-workers")
    assert run.wait() == 0, run.output
    run.tell(outcome, "stopped, collected, then taken down")
    assert "loadgen:" not in on_host("worker1", "getent passwd")
    deploy()
