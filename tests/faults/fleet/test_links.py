"""The network of a fleet breaks or gets bad under load."""

import time

import pytest

from tests.faults.fleet.broken import Broken, rule
from tests.faults.fleet.link import bad_line
from tests.faults.record import Outcome
from tests.lab.fleet import Loadgen, lab

PART = "Fleet"


@pytest.mark.fault(PART, "A worker host is cut off from the network for 12 s.")
def test_worker_cut_off(fleet: Loadgen, outcome: Outcome) -> None:
    run = Broken(fleet, seconds=22)
    lab("cut", "worker1")
    try:
        time.sleep(12)  # the fault's own length
    finally:
        lab("join", "worker1")
    assert run.wait("lost") in (3, 4), run.output
    run.tell(outcome)


@pytest.mark.fault(
    PART, "The master is cut off from the workers and the controller until the run is over."
)
def test_master_cut_off(fleet: Loadgen, outcome: Outcome) -> None:
    run = Broken(fleet)
    lab("cut", "master1")
    try:
        code = run.wait("master")
    finally:
        lab("join", "master1")
    assert code == 4, run.output
    run.tell(outcome, "the results up to the fault are kept; `make stop` collects the rest")
    # Nobody could tell the master that the run is over.
    code, said = fleet("stop")
    assert "was stopped, and its results were collected" in said, said


@pytest.mark.fault(PART, "The controller is cut off from the master (SSH) for 12 s.")
def test_controller_cut_off(fleet: Loadgen, outcome: Outcome) -> None:
    run = Broken(fleet)
    with rule("master1", "tcp dport 22 drop;"):
        time.sleep(12)  # the fault's own length
    run.wait()
    run.tell(outcome)


@pytest.mark.fault(PART, "The network link of a worker host is limited to 1 Mbit/s.")
def test_narrow_link(fleet: Loadgen, outcome: Outcome) -> None:
    run = Broken(fleet)
    lab("slow", "worker1", "1mbit")
    try:
        run.wait()
    finally:
        lab("join", "worker1")
    run.tell(outcome)


@pytest.mark.fault(PART, "5 % of the packets to a worker host are lost.")
def test_lossy_link(fleet: Loadgen, outcome: Outcome) -> None:
    run = Broken(fleet)
    with rule("worker1", "numgen random mod 100 < 5 drop;"):
        run.wait()
    run.tell(outcome)


@pytest.mark.fault(
    PART, "Packets between a worker host and all others are delayed by 200 ms each way."
)
def test_far_host(fleet: Loadgen, outcome: Outcome) -> None:
    with bad_line("worker1", delay_seconds=0.2):
        run = Broken(fleet)
        code = run.wait()
    assert code == 0, run.output
    assert run.lost == 0, run.output
    run.tell(outcome)


@pytest.mark.fault(PART, "Every fifth packet from and to a worker host is reordered.")
def test_reordered_packets(fleet: Loadgen, outcome: Outcome) -> None:
    with bad_line("worker1", ratio=0.2) as line:
        run = Broken(fleet)
        code = run.wait()
    assert code == 0, run.output
    assert run.lost == 0, run.output
    assert line.overtaken > 20
    run.tell(
        outcome, f"no problem was reported, although {line.overtaken:,} packets were reordered"
    )
