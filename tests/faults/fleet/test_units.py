"""Units of a fleet, and the process that drives them, end under load.

What the target received is held against what the run kept, so that no loss is silent.
"""

import re
import time
from collections.abc import Callable

import pytest

from tests.faults.fleet.broken import Broken, kill, rule
from tests.faults.record import MARKER, Outcome
from tests.lab.fleet import Loadgen, deploy, make, on_host

PART = "Fleet"


@pytest.mark.parametrize(
    ("act", "codes"),
    [
        pytest.param(
            kill("worker1", "loadgen-worker@*"),
            (3, 4),
            marks=pytest.mark.fault(PART, "Every worker process of a host is killed (SIGKILL)."),
            id="workers",
        ),
        pytest.param(
            kill("master1", "loadgen-master"),
            (4,),
            marks=pytest.mark.fault(PART, "The master's unit is killed (SIGKILL)."),
            id="master",
        ),
        pytest.param(
            kill("master1", "loadgen-exporter"),
            (0, 3),
            marks=pytest.mark.fault(PART, "The exporter's unit is killed (SIGKILL)."),
            id="exporter",
        ),
    ],
)
def test_killed_units(
    fleet: Loadgen, outcome: Outcome, act: Callable[[], str], codes: tuple[int, ...]
) -> None:
    run = Broken(fleet)
    act()
    assert run.wait("lost|master") in codes, run.output
    run.tell(outcome)


@pytest.mark.fault(
    PART, "A worker's end of its connection vanishes silently (half-open at the master)."
)
def test_half_open_at_the_master(fleet: Loadgen, outcome: Outcome) -> None:
    run = Broken(fleet)
    with rule("worker1", "tcp dport 5557 drop;", "output"):
        kill("worker1", "loadgen-worker@*")()
        code = run.wait("lost")
    assert code in (3, 4), run.output
    run.tell(outcome)


@pytest.mark.fault(
    PART, "The master's end of every connection vanishes silently (half-open at the workers)."
)
def test_half_open_at_the_workers(fleet: Loadgen, outcome: Outcome) -> None:
    run = Broken(fleet)
    with rule("master1", "tcp sport 5557 drop;", "output"):
        kill("master1", "loadgen-master")()
        code = run.wait("master")
    assert code == 4, run.output
    run.tell(outcome)


@pytest.mark.fault(
    PART, "The loadgen process is killed; then `make status` and `make stop` are run."
)
def test_killed_operations(fleet: Loadgen, outcome: Outcome) -> None:
    run = Broken(fleet, seconds=60)
    run.process.kill()
    run.process.communicate(timeout=30)
    _, said = fleet("status")
    assert "is under way" in said, said
    run.noticed = time.monotonic() - run.since
    code, output = fleet("stop")
    assert code == 0, output
    assert run.lost == 0, output
    run.tell(outcome, "`make status` shows the run, and `make stop` collects its results")


@pytest.mark.fault(
    PART,
    "The loadgen process is killed; the run ends by itself, and `make stop` collects its results.",
)
def test_run_that_ends_alone(fleet: Loadgen, outcome: Outcome) -> None:
    run = Broken(fleet, seconds=6)
    run.process.kill()
    run.process.communicate(timeout=30)
    deadline = time.monotonic() + 60
    while not re.search(r"is under way \((stopped|ready)\)", fleet("status")[1]):
        assert time.monotonic() < deadline, fleet("status")
    run.since = time.monotonic()
    code, output = fleet("stop")
    assert code == 0, output
    assert run.lost == 0, output
    run.tell(outcome, "the results stayed on the master until they were collected")


@pytest.mark.fault(
    "Sandbox", "Nothing is broken: `systemd-analyze security` rates the deployed units."
)
def test_units_are_sandboxed(deployed: None, outcome: Outcome) -> None:
    del deployed
    levels = {}
    for host, unit in (
        ("master1", "loadgen-master"),
        ("master1", "loadgen-exporter"),
        ("worker1", "loadgen-worker@1"),
    ):
        text = on_host(host, f"systemd-analyze security --no-pager {unit}")
        found = re.search(r"exposure level for .*: ([\d.]+)", text)
        assert found, text
        levels[unit] = float(found[1])
    assert max(levels.values()) < 2.5, levels
    outcome(
        "The exposure, where 10 is the worst: " + ", ".join(f"{u} {x}" for u, x in levels.items())
    )


@pytest.mark.fault(PART, "`make teardown-workers` is run during a load test.")
def test_teardown_under_a_run(
    fleet: Loadgen, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Broken(fleet, seconds=300)
    monkeypatch.delenv(MARKER)  # SSH keeps connections open for a while
    make("teardown-workers")
    assert run.wait() == 130, run.output
    run.tell(
        outcome,
        "the run is stopped, its results are collected, and then the kit is removed from the hosts",
    )
    assert "loadgen:" not in on_host("worker1", "getent passwd")
    deploy()
