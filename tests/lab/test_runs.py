"""Runs on a deployed fleet of lab hosts (`make lab` first).

Each test leaves the fleet as it was: idle, complete, and with the machine's own clock.
"""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.faults.record import everything
from tests.lab.fleet import (
    HARD_TIMEOUT_SECONDS,
    MASTER,
    TARGET_CHECKS,
    Loadgen,
    fault,
    lab,
    on_host,
    read_until,
    requests_at_target,
    start_workers,
)


def test_a_run_passes_and_the_target_counts_as_many_requests(loadgen: Loadgen) -> None:
    before = requests_at_target()
    code, output = loadgen("run", "--users", "12", "--run-time", "6s")

    assert code == 0, output
    summary = loadgen.summary
    counted = requests_at_target() - before
    assert summary["workers"]["seen"] == summary["workers"]["expected"] >= 3
    assert summary["requests"] > 20
    assert counted == everything(summary) + TARGET_CHECKS
    files = {
        path.relative_to(loadgen.directory).as_posix() for path in loadgen.directory.rglob("*")
    }
    assert {"metrics.prom", "stats.csv", "locust.html", "report.html"} <= files
    assert {f"hosts/worker{n}/loadgen-worker@1.log" for n in (1, 2, 3)} <= files
    assert "hosts/master1/loadgen-master.log" in files


def test_stop_ends_a_run_that_another_terminal_started(loadgen: Loadgen) -> None:
    running = loadgen.start("run", "--run-time", "5m")
    read_until(running, "Loading http")
    code, output = loadgen("stop")
    assert code == 0, output
    assert "asked to stop" in output
    rest, _ = running.communicate(timeout=HARD_TIMEOUT_SECONDS)
    assert running.returncode == 130, rest
    assert "stopped by loadgen stop after" in rest
    assert loadgen.summary["requests"] > 0


def test_stop_collects_a_run_whose_own_process_is_gone(loadgen: Loadgen) -> None:
    running = loadgen.start("run", "--run-time", "5m")
    read_until(running, "Loading http")
    running.kill()
    running.communicate(timeout=30)
    code, output = loadgen("run", "--run-time", "2s")
    assert code == 2, output
    assert "is under way on this fleet" in output

    code, output = loadgen("stop")
    assert code == 0, output
    assert "stopped and collected" in output
    assert loadgen.summary["requests"] > 0
    assert (loadgen.directory / "hosts/worker1/loadgen-worker@1.log").exists()


def test_drain_takes_a_host_out_and_loses_no_statistics(loadgen: Loadgen) -> None:
    before = requests_at_target()
    running = loadgen.start("run", "--users", "12", "--run-time", "25s")
    read_until(running, "Loading http")
    code, output = loadgen("drain", "--host-limit", "worker2")
    rest, _ = running.communicate(timeout=HARD_TIMEOUT_SECONDS)
    start_workers("worker2")

    assert code == 0, output
    assert running.returncode == 0, rest
    summary = loadgen.summary
    assert summary["workers"]["lost"] == 0
    counted = requests_at_target() - before
    assert counted == everything(summary) + TARGET_CHECKS


def test_a_clock_that_is_off_is_named_with_its_host(loadgen: Loadgen) -> None:
    with fault(["clock", "worker1", "30"], ["clock", "worker1", "0"]):
        code, output = loadgen("run", "--run-time", "2s")
    assert code == 4
    assert re.search(r"worker1: its clock is (29|30|31)\.\d s ahead of the master's", output), (
        output
    )
    assert "worker2:" not in output


def test_a_host_that_is_cut_off_is_named_and_hides_none(loadgen: Loadgen) -> None:
    with fault(["cut", "worker3"], ["join", "worker3"]):
        code, output = loadgen("run", "--run-time", "2s")
        status, said = loadgen("status")
    assert code == 4
    assert re.search(r"worker3: (10\.77\.0\.23:22|no SSH connection to 10\.77\.0\.23)", output), (
        output
    )
    assert "1 of 4 nodes" in output
    assert status == 4
    assert re.search(r"worker1 +worker, \d of \d units active", said), said


def test_a_run_may_begin_without_a_host_that_is_down_and_says_which(loadgen: Loadgen) -> None:
    with fault(["cut", "worker3"], ["join", "worker3"]):
        code, output = loadgen("run", "--run-time", "2s", "--users", "6", "--allow-missing", "1")
    assert code == 0, output
    assert re.search(r"Starting without worker3: .*10\.77\.0\.23", output), output
    assert any("worker3" in note for note in loadgen.summary["notes"]), loadgen.summary["notes"]


def test_a_worker_host_that_boots_again_in_mid_run_is_told_and_loads_on(loadgen: Loadgen) -> None:
    running = loadgen.start("run", "--users", "12", "--run-time", "90s")
    read_until(running, "Loading http", "12/12 users")
    lab("stop", "worker1")
    try:
        said = read_until(running, "Invalid: .*worker1", r"users .* 4/6 workers")
    finally:
        lab("start", "worker1")
    said += read_until(running, r"12/12 users .* 6/6 workers")
    print(said)
    loadgen("stop")
    rest, _ = running.communicate(timeout=HARD_TIMEOUT_SECONDS)

    assert not re.search(r"\b([7-9]|1\d)/6 workers|joined later", said + rest), said + rest
    assert loadgen.summary["workers"] == {"expected": 6, "seen": 8, "lost": 2}
    assert running.returncode != 0


def test_a_firewall_closed_on_the_worker_port_is_named_as_that(loadgen: Loadgen) -> None:
    chain = "type filter hook input priority -300; ip saddr 10.77.0.21 tcp dport 5557 drop;"
    on_host("master1", f"nft 'table inet closed {{ chain input {{ {chain} }}; }}'")
    try:
        code, output = loadgen("run", "--run-time", "2s")
    finally:
        on_host("master1", "nft delete table inet closed")
    assert code == 4
    assert "worker1: a firewall blocks port 5557" in output, output
    assert "worker2:" not in output


@pytest.fixture
def stranger() -> Iterator[str]:
    lab("attach", "stranger", "10.77.0.99/24")
    yield "stranger"
    lab("detach", "stranger")


def test_a_stranger_on_the_network_finds_every_port_of_the_fleet_closed(stranger: str) -> None:
    probe = (
        "import socket,sys\n"
        "for port in (5557, 8089, 9646):\n"
        " try: socket.create_connection((sys.argv[1], port), 2); print(port)\n"
        " except OSError: pass\n"
    )
    command = ["ip", "netns", "exec", stranger, sys.executable, "-c", probe, MASTER]
    found = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    assert found.stdout.split() == []
    socket.create_connection((MASTER, 8089), 5).close()  # the operator's own machine gets in
