"""Hosts, networks and units of a fleet break under load: `make lab` first.

What the target received is held against what the run kept, so that no loss is silent.
"""

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.faults.record import MARKER, Outcome
from tests.lab.fleet import (
    HARD_TIMEOUT_SECONDS,
    LAB_HOST,
    Loadgen,
    lab,
    on_host,
    read_until,
    requests_at_target,
)

PART = "Fleet"
SECONDS = 22


def in_network_of(host: str, *command: str) -> None:
    subprocess.run(["ip", "netns", "exec", host, *command], check=True, timeout=20)


def checks() -> int:
    """Return how many worker hosts look at the target before a run."""
    listed = subprocess.run([LAB_HOST, "list"], check=True, capture_output=True, text=True)
    return len(re.findall(r"^worker\d", listed.stdout, re.MULTILINE))


@contextmanager
def rule(host: str, rules: str) -> Iterator[None]:
    """Put firewall rules into a host's network from outside."""
    table = f"table inet fault {{ chain in {{ type filter hook input priority -300; {rules} }}; }}"
    in_network_of(host, "nft", table)
    try:
        yield
    finally:
        in_network_of(host, "nft", "delete table inet fault")


class Broken:
    """One run under which something breaks."""

    def __init__(self, fleet: Loadgen) -> None:
        self.fleet = fleet
        self.before = requests_at_target()
        self.process = fleet.start("run", "--users", "12", "--run-time", f"{SECONDS}s")
        self.output = read_until(self.process, "Loading http")
        self.output += read_until(self.process, "[1-9][0-9]* requests")
        self.since = time.monotonic()
        self.noticed: float | None = None

    def wait(self, pattern: str | None = None) -> int:
        """Read on to the end; note when the pattern was first seen."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.output += line
            if pattern and self.noticed is None and re.search(pattern, line):
                self.noticed = time.monotonic() - self.since
        self.process.stdout.close()
        return self.process.wait(HARD_TIMEOUT_SECONDS)

    @property
    def lost(self) -> int:
        return requests_at_target() - self.before - checks() - int(self.fleet.summary["requests"])

    def tell(self, outcome: Outcome, seen: str = "") -> None:
        """Record what came of it; a loss without a reason is silent."""
        summary = self.fleet.summary
        kinds = ", ".join(dict.fromkeys(summary["reason_kinds"])) or "nothing amiss"
        lost = self.lost
        assert not lost or summary["reasons"], self.output
        outcome(
            f"verdict {summary['verdict']}: {seen or kinds}",
            notice_seconds=self.noticed,
            recover_seconds=time.monotonic() - self.since,
            samples_lost=lost,
            said=bool(summary["reasons"]) if summary["verdict"] != "passed" else None,
        )


@pytest.mark.fault(PART, "a worker host is powered off, and comes back")
def test_power_cut(fleet: Loadgen, outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Broken(fleet)
    monkeypatch.delenv(MARKER)  # a host that is started again is no process left
    lab("stop", "worker1")
    try:
        code = run.wait("lost")
    finally:
        lab("start", "worker1")
    assert code in (3, 4), run.output
    assert (fleet.directory / "hosts/worker2").is_dir()
    run.tell(outcome)


@pytest.mark.fault(PART, "a worker host is cut off for 12 s")
def test_worker_cut_off(fleet: Loadgen, outcome: Outcome) -> None:
    run = Broken(fleet)
    lab("cut", "worker1")
    try:
        time.sleep(12)  # the fault's own length
    finally:
        lab("join", "worker1")
    assert run.wait("lost") in (3, 4), run.output
    run.tell(outcome)


@pytest.mark.fault(PART, "the master is cut off from workers and controller until the run is over")
def test_master_cut_off(fleet: Loadgen, outcome: Outcome) -> None:
    run = Broken(fleet)
    lab("cut", "master1")
    try:
        code = run.wait("master")
    finally:
        lab("join", "master1")
    assert code == 4, run.output
    run.tell(outcome, "what was measured until then is kept")


@pytest.mark.fault(PART, "the controller is cut off from the master (SSH) for 12 s")
def test_controller_cut_off(fleet: Loadgen, outcome: Outcome) -> None:
    run = Broken(fleet)
    with rule("master1", "tcp dport 22 drop;"):
        time.sleep(12)  # the fault's own length
    run.wait()
    run.tell(outcome)


@pytest.mark.fault(PART, "a worker host's link narrows to 1 Mbit/s")
def test_narrow_link(fleet: Loadgen, outcome: Outcome) -> None:
    run = Broken(fleet)
    lab("slow", "worker1", "1mbit")
    try:
        run.wait()
    finally:
        lab("join", "worker1")
    run.tell(outcome)


@pytest.mark.fault(PART, "5 % of the packets to a worker host are lost")
def test_lossy_link(fleet: Loadgen, outcome: Outcome) -> None:
    run = Broken(fleet)
    with rule("worker1", "numgen random mod 100 < 5 drop;"):
        run.wait()
    run.tell(outcome)


@pytest.mark.fault(PART, "the disk for results on the master is full")
def test_full_master(fleet: Loadgen, outcome: Outcome) -> None:
    on_host("master1", "mount -t tmpfs -o size=4k,mode=777 tmpfs /var/lib/loadgen/runs")
    on_host("master1", "head -c 8192 /dev/zero >/var/lib/loadgen/runs/filler || true")
    try:
        code, output = fleet("run", "--users", "4", "--run-time", "5s")
    finally:
        on_host("master1", "umount /var/lib/loadgen/runs")
    assert code == 4, output
    assert "No space left" in output, output
    assert "Traceback" not in output, output
    outcome("error in one sentence", said=True)


def kill(host: str, unit: str) -> Callable[[], str]:
    return lambda: on_host(host, f"systemctl kill --signal=KILL '{unit}'")


@pytest.mark.parametrize(
    ("act", "codes"),
    [
        pytest.param(
            kill("worker1", "loadgen-worker@*"),
            (3, 4),
            marks=pytest.mark.fault(PART, "SIGKILL of every worker of a host"),
            id="workers",
        ),
        pytest.param(
            kill("master1", "loadgen-master"),
            (4,),
            marks=pytest.mark.fault(PART, "SIGKILL of the master's unit"),
            id="master",
        ),
        pytest.param(
            kill("master1", "loadgen-exporter"),
            (0, 3),
            marks=pytest.mark.fault(PART, "SIGKILL of the exporter's unit"),
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


@pytest.mark.fault(PART, "SIGKILL of the operations process; make status and make stop follow")
def test_killed_operations(fleet: Loadgen, outcome: Outcome) -> None:
    run = Broken(fleet)
    run.process.kill()
    run.process.communicate(timeout=30)
    _, said = fleet("status")
    assert "is under way" in said, said
    run.noticed = time.monotonic() - run.since
    code, output = fleet("stop")
    assert code == 0, output
    assert run.lost == 0, output
    run.tell(outcome, "status names the run, stop collects it")


@pytest.mark.fault("Sandbox", "`systemd-analyze security` of the units, as deployed")
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
    outcome("exposure, 10 the worst: " + ", ".join(f"{u} {x}" for u, x in levels.items()))
