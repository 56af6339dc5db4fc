"""Processes that are killed or frozen under load, one and all of a kind."""

import re
import signal
import time

import pytest

from tests.faults.driving import Target, exporters, locustfile, reasons, seconds_until, send, start
from tests.faults.record import Outcome, everything
from tests.local.conftest import Run, Runner
from tests.waiting import await_

PART = "Processes"
OPTIONS = ("--users", "8", "--spawn-rate", "8", "--workers", "2", "--run-time")


@pytest.mark.fault(PART, "Every worker is killed (SIGKILL).")
def test_killed_workers(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    run = start(loadgen, *OPTIONS, "20s", *locustfile(loadgen), target=target)
    since = send(signal.SIGKILL, run.pids("worker"))
    noticed = seconds_until(run, "was ended by SIGKILL", since)

    code = run.wait()
    over = time.monotonic() - since
    assert code == 3, run.output + run.logs()
    assert run.summary["workers"]["lost"] == 2
    outcome(
        f"verdict invalid; {run.summary['requests']:,} requests are kept",
        notice_seconds=noticed,
        recover_seconds=over,
        summary=run.summary,
        received=target.received,
    )


@pytest.mark.fault(PART, "One of two workers is frozen (SIGSTOP).")
def test_frozen_worker(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    run = start(loadgen, *OPTIONS, "12s", *locustfile(loadgen), target=target)
    since = send(signal.SIGSTOP, run.pids("worker")[:1])
    noticed = seconds_until(run, "was lost", since)

    assert run.wait() == 4, run.output + run.logs()
    outcome(
        "verdict error: the worker was lost, did not stop when asked, and was killed",
        notice_seconds=noticed,
        recover_seconds=time.monotonic() - since,
        summary=run.summary,
        received=target.received,
    )


@pytest.mark.fault(PART, "A worker is frozen (SIGSTOP) at the end of the load.")
def test_worker_frozen_at_the_end(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    run = start(loadgen, *OPTIONS, "60s", *locustfile(loadgen), target=target)
    since = send(signal.SIGSTOP, run.pids("worker")[:1])
    run.interrupt()

    code = run.wait()
    assert code == 130, run.output + run.logs()
    assert run.summary["reasons"], run.output
    outcome(
        "verdict interrupted: the summary says that the worker's last statistics are missing",
        recover_seconds=time.monotonic() - since,
        summary=run.summary,
        received=target.received,
    )


@pytest.mark.fault(PART, "Every worker is frozen (SIGSTOP).")
def test_frozen_workers(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    run = start(loadgen, *OPTIONS, "15s", *locustfile(loadgen), target=target)
    since = send(signal.SIGSTOP, run.pids("worker"))
    noticed = seconds_until(run, "lost", since)

    code = run.wait()
    assert code in (3, 4), run.output + run.logs()
    outcome(
        f"verdict {run.summary['verdict']}; both workers were lost",
        notice_seconds=noticed,
        recover_seconds=time.monotonic() - since,
        summary=run.summary,
        received=target.received,
    )


@pytest.mark.fault(PART, "The master is frozen (SIGSTOP).")
def test_frozen_master(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    run = start(loadgen, *OPTIONS, "40s", *locustfile(loadgen), target=target)
    since = send(signal.SIGSTOP, run.pids("master"))
    noticed = seconds_until(run, "no message came from the master", since)

    assert run.wait() == 4, run.output + run.logs()
    outcome(
        "verdict error; the results up to the fault are kept",
        notice_seconds=noticed,
        recover_seconds=time.monotonic() - since,
        summary=run.summary,
        received=target.received,
    )


@pytest.mark.fault(PART, "The master is frozen (SIGSTOP) for 5 s.")
def test_master_that_pauses(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    run = start(loadgen, *OPTIONS, "15s", *locustfile(loadgen), target=target)
    since = send(signal.SIGSTOP, run.pids("master"))
    time.sleep(5)  # the fault's own length
    send(signal.SIGCONT, run.pids("master"))

    code = run.wait()
    lost = target.received - everything(run.summary)
    assert (code == 0) == (not lost), run.output + run.logs()
    outcome(
        f"verdict {run.summary['verdict']}",
        recover_seconds=time.monotonic() - since,
        summary=run.summary,
        received=target.received,
    )


@pytest.mark.fault(PART, "The exporter is killed (SIGKILL).")
def test_killed_exporter(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    run = start(loadgen, *OPTIONS, "8s", *locustfile(loadgen), target=target)
    since = send(signal.SIGKILL, exporters(run))
    noticed = seconds_until(run, "exporter was ended by SIGKILL", since)

    assert run.wait() == 3, run.output + run.logs()
    outcome(
        "verdict invalid: the metrics end early, but the run's own counts are complete",
        notice_seconds=noticed,
        recover_seconds=time.monotonic() - since,
        summary=run.summary,
        received=target.received,
    )


@pytest.mark.fault(PART, "The exporter is killed (SIGKILL) before the load begins.")
def test_exporter_killed_at_start(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    run = loadgen.start(*OPTIONS, "4s", *locustfile(loadgen), "--host", target.url)
    await_(lambda: exporters(run), "the exporter")
    since = send(signal.SIGKILL, exporters(run))
    noticed = seconds_until(run, "exporter was ended by SIGKILL", since)

    code = run.wait()
    assert code in (3, 4), run.output + run.logs()
    assert "exporter was ended by SIGKILL" in reasons(run)
    summary = run.summary
    assert loadgen.finish(*OPTIONS, "2s", "-f", "broken.py", "--host", target.url)[0] == 0
    outcome(
        f"verdict {summary['verdict']}, and the reason names the exporter; the next run passes",
        notice_seconds=noticed,
        summary=summary,
    )


@pytest.mark.fault(PART, "The exporter is frozen (SIGSTOP) for 5 s.")
def test_exporter_that_pauses(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    run = start(loadgen, *OPTIONS, "15s", *locustfile(loadgen), target=target)
    paused = exporters(run)
    since = send(signal.SIGSTOP, paused)
    time.sleep(5)  # the fault's own length
    send(signal.SIGCONT, paused)

    assert run.wait() == 0, run.output + run.logs()
    assert counted_by_exporter(run) == run.summary["requests"]
    outcome(
        "verdict passed; the exporter then counts every request",
        recover_seconds=time.monotonic() - since,
        summary=run.summary,
        received=target.received,
    )


def counted_by_exporter(run: Run) -> int:
    """Return the requests of the last scrape."""
    text = (run.directory / "metrics.prom").read_text()
    counts = re.findall(r"^locust_requests_total\{.*\} (\S+)$", text, re.MULTILINE)
    return int(sum(map(float, counts)))


@pytest.mark.fault(PART, "The exporter is frozen (SIGSTOP).")
def test_frozen_exporter(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    run = start(loadgen, *OPTIONS, "8s", *locustfile(loadgen), target=target)
    since = send(signal.SIGSTOP, exporters(run))

    assert run.wait() == 0, run.output + run.logs()
    assert counted_by_exporter(run) == run.summary["requests"]
    assert time.monotonic() - since < 60
    outcome(
        "verdict passed: it is resumed at the run's end, and then counts every request",
        recover_seconds=time.monotonic() - since,
        summary=run.summary,
        received=target.received,
    )
