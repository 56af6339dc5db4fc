"""Hosts of a fleet lose power, room on their disks, or the right time under load."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.faults.fleet.broken import Broken, await_target
from tests.faults.record import MARKER, Outcome
from tests.lab.fleet import Loadgen, lab, on_host
from tests.servers import simulator

PART = "Fleet"
CONTROLLER = "10.77.0.1"
LIBRARY = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
SHIFT = "/etc/fault-clock"
UNITS = {"master1": "loadgen-master", "worker1": "loadgen-worker@"}
JUMP_SECONDS = 90


@contextmanager
def power_cut(host: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Cut a host's power; afterwards it boots."""
    monkeypatch.delenv(MARKER)  # a host that is started again is no process left
    lab("stop", host)
    try:
        yield
    finally:
        lab("start", host)


@pytest.mark.fault(PART, "A worker host is powered off and started again.")
def test_worker_off(fleet: Loadgen, outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Broken(fleet)
    with power_cut("worker1", monkeypatch):
        code = run.wait("lost")
    assert code in (3, 4), run.output
    assert (fleet.directory / "hosts/worker2").is_dir()
    run.tell(outcome)


@pytest.mark.fault(
    PART, "The host of the master and the exporter is powered off and started again."
)
def test_master_off(fleet: Loadgen, outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Broken(fleet)
    with power_cut("master1", monkeypatch):
        code = run.wait("master")
    assert code == 4, run.output
    assert (fleet.directory / "hosts/worker1").is_dir()
    run.tell(outcome)


@pytest.mark.fault(PART, "The host of Prometheus is powered off and started again.")
def test_prometheus_off(fleet: Loadgen, outcome: Outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    with simulator("hello", address=CONTROLLER) as target:
        run = Broken(fleet, target=target)
        with power_cut("monitor1", monkeypatch):
            code = run.wait()
        await_target()
        assert code == 0, run.output
        assert run.lost == 0
        run.tell(outcome)


@contextmanager
def full_disk(host: str, *directories: str) -> Iterator[None]:
    """Give directories of a host a file system of their own in which no byte is free."""
    for directory in directories:
        # As the kit makes it: what root made, with umask 077, would stay and shut out later runs.
        made = f"[ -d {directory} ] || install -d -o loadgen -g loadgen -m 750 {directory}"
        mount = f"{made}; mount -t tmpfs -o size=64k,mode=1777 tmpfs {directory}"
        on_host(host, f"{mount}; head -c 128k /dev/zero >{directory}/filler || true")
    try:
        yield
    finally:
        on_host(host, "".join(f"umount {directory}\n" for directory in directories))


@pytest.mark.fault(PART, "The master's disk for the results is full.")
def test_full_master(fleet: Loadgen, outcome: Outcome) -> None:
    with full_disk("master1", "/var/lib/loadgen/runs"):
        code, output = fleet("run", "--users", "4", "--run-time", "5s")
    assert code == 4, output
    assert "No space left" in output, output
    assert "Traceback" not in output, output
    outcome("The run is refused with a one-sentence error.", said=True)


@pytest.mark.fault(
    PART, "The disk of a worker host is full, so the host can't write its rows of the request log."
)
def test_full_worker(fleet: Loadgen, outcome: Outcome) -> None:
    with full_disk("worker1", "/var/lib/loadgen/runs", "/var/log", "/var/tmp", "/tmp"):
        run = Broken(fleet, "--request-log", seconds=8)
        code = run.wait()
    assert code == 4, run.output
    summary = fleet.summary
    assert 0 < summary["requests_logged"] < summary["requests"]
    assert "requests were to be logged" in run.output
    assert run.lost == 0, run.output
    run.tell(
        outcome,
        "every request is counted; the summary says how many rows are missing in the request log",
    )


@contextmanager
def clock_that_can_be_set(host: str) -> Iterator[None]:
    """Let the units of a host read a clock that `jump` sets while they run."""
    unit = UNITS[host]
    # A clock that goes on steadily is what Linux keeps for whoever measures time.
    variables = f"LD_PRELOAD={LIBRARY} FAKETIME_TIMESTAMP_FILE={SHIFT} FAKETIME_CACHE_DURATION=1"
    variables += " FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1"
    directory = f"/etc/systemd/system/{unit}.service.d"
    text = f"[Service]\\nEnvironment={variables}\\n"
    # The lab's logins have umask 077, and the units' users read both.
    files = (
        f"umask 022; echo +0 >{SHIFT}; mkdir {directory}; printf '{text}' >{directory}/fault.conf"
    )
    on_host(host, files)
    on_host(host, "systemctl daemon-reload")
    try:
        yield
    finally:
        on_host(host, f"rm -r {directory} {SHIFT}; systemctl daemon-reload")


def jump(host: str, seconds: int) -> None:
    on_host(host, f"echo {seconds:+d} >{SHIFT}")


@pytest.mark.parametrize(
    ("host", "seconds", "kind"),
    [
        pytest.param(
            host,
            seconds,
            kind,
            marks=pytest.mark.fault(PART, f"The clock of {name} jumps by {seconds:+d} s."),
            id=f"{host}{seconds:+d}",
        )
        for host, name, kind in (
            ("worker1", "a worker host", "clock_offset"),
            ("master1", "the master's host", "clock_jump"),
        )
        for seconds in (JUMP_SECONDS, -JUMP_SECONDS)
    ],
)
def test_clock_jumps(fleet: Loadgen, outcome: Outcome, host: str, seconds: int, kind: str) -> None:
    with clock_that_can_be_set(host):
        run = Broken(fleet)
        jump(host, seconds)
        code = run.wait("clock|lost")
    assert code in (3, 4), run.output
    assert kind in fleet.summary["reason_kinds"], run.output
    run.tell(outcome)
