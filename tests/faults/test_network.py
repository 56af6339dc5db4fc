"""The ways between processes break, on one machine: names, silent targets, lost packets."""

import os
import signal
import socket
import time
from collections.abc import Iterator

import pytest

from tests.faults.driving import Target, locustfile, reasons, seconds_until, start
from tests.faults.network import delaying, dropping, install_tools
from tests.faults.record import Outcome, everything
from tests.local.conftest import Run, Runner
from tests.waiting import await_

PART = "Network"
OPTIONS = ("--users", "8", "--spawn-rate", "8", "--workers", "2", "--run-time")
UNCHECKED = ("--skip-target-check",)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="firewall rules need root")


@pytest.fixture(scope="module", autouse=True)
def tools() -> None:
    if os.geteuid() == 0:
        install_tools()


def kinds(run: Run) -> str:
    return ", ".join(dict.fromkeys(run.summary["reason_kinds"])) or "no problem was reported"


@pytest.fixture
def mute() -> Iterator[str]:
    """A target that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.fault(PART, "The target accepts connections and never answers.")
def test_mute_target(loadgen: Runner, mute: str, outcome: Outcome) -> None:
    began = time.monotonic()
    code, run = loadgen.finish(*OPTIONS, "5s", "--host", mute)
    noticed = time.monotonic() - began
    assert code == 4, run.output
    assert "answer" in run.output
    assert not run.results.exists() or not list(run.results.glob("2*"))
    outcome(
        "The run ends with an error before any load is started.",
        notice_seconds=noticed,
        recover_seconds=noticed,
    )


@pytest.mark.fault(
    PART, "The target never answers, and the run has the option --skip-target-check."
)
def test_mute_target_unchecked(loadgen: Runner, mute: str, outcome: Outcome) -> None:
    options = (*OPTIONS, "3s", "--stop-timeout", "3s", *UNCHECKED, "--host", mute)
    code, run = loadgen.finish(*options)
    assert code == 3, run.output
    assert "8 requests got no answer within the stop timeout" in reasons(run)
    outcome(f"verdict invalid: {kinds(run)}", summary=run.summary)


@pytest.mark.fault(PART, "The target's name is not in DNS.")
def test_unknown_name(loadgen: Runner, outcome: Outcome) -> None:
    began = time.monotonic()
    code, run = loadgen.finish(*OPTIONS, "5s", "--host", "http://nowhere.invalid")
    noticed = time.monotonic() - began
    assert code == 4, run.output
    assert "nowhere.invalid" in run.output
    assert "Traceback" not in run.output
    outcome(
        "The run ends with an error before any load is started.",
        notice_seconds=noticed,
        recover_seconds=noticed,
    )


@pytest.mark.fault(PART, "The target's name can't be resolved after the load has started.")
def test_name_that_vanishes(loadgen: Runner, outcome: Outcome) -> None:
    options = (*OPTIONS, "4s", *UNCHECKED, "--host", "http://nowhere.invalid")
    code, run = loadgen.finish(*options, *locustfile(loadgen))
    assert code == 1, run.output
    assert run.summary["failures"] == run.summary["requests"] > 0
    outcome("verdict failed: every request is counted as a failure")


@pytest.mark.fault(PART, "The target is killed under load.")
def test_killed_target(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    run = start(loadgen, *OPTIONS, "12s", *locustfile(loadgen), target=target)
    os.kill(target.pid, signal.SIGKILL)
    code = run.wait()
    assert code == 1, run.output
    assert run.summary["failures"] > 0
    outcome("verdict failed: every later request is counted as a failure")


@needs_root
@pytest.mark.fault(
    PART, "Connections to the target become half-open: its packets are dropped under load."
)
def test_half_open_target(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    options = (*OPTIONS, "8s", "--stop-timeout", "3s")
    run = start(loadgen, *options, *locustfile(loadgen), target=target)
    with dropping(int(target.url.rpartition(":")[2])):
        code = run.wait()
    assert code == 3, run.output
    assert "no other request was answered either" in reasons(run)
    lost = target.received - everything(run.summary)
    assert 0 <= lost <= 8
    outcome(f"verdict invalid: {kinds(run)}", summary=run.summary, received=target.received)


@pytest.mark.fault(PART, "Packets to and from the target are delayed by 200 ms each way.")
def test_far_target(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    with delaying(int(target.url.rpartition(":")[2]), 0.2) as port:
        options = (*OPTIONS, "8s", *locustfile(loadgen), "--host", f"http://127.0.0.1:{port}")
        code, run = loadgen.finish(*options)
    assert code == 0, run.output
    fastest = run.summary["response_time_seconds"]["p50"]
    assert 0.4 <= fastest < 0.5, run.output
    lost = target.received - everything(run.summary)
    assert lost == 0
    outcome(
        f"verdict passed; p50 is {1000 * fastest:.0f} ms, which is correct",
        summary=run.summary,
        received=target.received,
    )


@needs_root
@pytest.mark.fault(PART, "5 % of the packets to and from the target are lost.")
def test_lossy_target(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    run = start(loadgen, *OPTIONS, "10s", *locustfile(loadgen), target=target)
    with dropping(int(target.url.rpartition(":")[2]), 5):
        run.wait()
    assert run.summary["response_time_seconds"]["p99"] > 0.1, run.output
    outcome(
        f"verdict {run.summary['verdict']}; p99 shows the delay of lost packets",
        summary=run.summary,
        received=target.received,
    )


@needs_root
@pytest.mark.fault(PART, "5 % of the packets between workers and master are lost.")
def test_lossy_channel(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    run = start(loadgen, *OPTIONS, "12s", *locustfile(loadgen), target=target)
    with dropping(run.worker_port, 5):
        run.wait()
    outcome(
        f"verdict {run.summary['verdict']}: {kinds(run)}",
        summary=run.summary,
        received=target.received,
    )


@needs_root
@pytest.mark.fault(PART, "The connection between workers and master is interrupted for 10 s.")
def test_partition(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    run = start(loadgen, *OPTIONS, "20s", *locustfile(loadgen), target=target)
    since = time.monotonic()
    with dropping(run.worker_port):
        noticed = seconds_until(run, "were lost|was lost", since)
        await_(lambda: time.monotonic() - since > 10, "ten seconds")
    code = run.wait()
    assert code == 3, run.output + run.logs()
    outcome(
        f"verdict invalid: {kinds(run)}",
        notice_seconds=noticed,
        recover_seconds=time.monotonic() - since,
        summary=run.summary,
        received=target.received,
    )


@needs_root
@pytest.mark.fault(
    PART,
    "The connection between workers and master is interrupted from just before the end "
    "of the load.",
)
def test_partition_at_the_end(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    run = start(loadgen, *OPTIONS, "9s", *locustfile(loadgen), target=target)
    with dropping(run.worker_port):
        since = time.monotonic()
        code = run.wait()
    assert code in (3, 4), run.output + run.logs()
    outcome(
        f"verdict {run.summary['verdict']}: {kinds(run)}",
        recover_seconds=time.monotonic() - since,
        summary=run.summary,
        received=target.received,
    )
