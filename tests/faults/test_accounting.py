"""Every count of a run agrees, and where one can't, the difference is bounded and stated."""

import re
import signal

import pytest

from tests.faults.driving import Target, locustfile, reasons, send, start
from tests.faults.record import Outcome, everything
from tests.local.conftest import Run, Runner
from tests.local.test_run import csv_total, sample_total

PART = "Accounting"
OPTIONS = ("--users", "20", "--spawn-rate", "20", "--workers", "2", "--run-time")


def workers(run: Run) -> int:
    """Add up what the workers themselves say in their logs."""
    logs = [log.read_text() for log in run.directory.glob("hosts/*/worker-*.log")]
    told = [re.findall(r"Test ended: (\d+) requests reported", log) for log in logs]
    return sum(int(count) for counts in told for count in counts)


@pytest.mark.fault(
    PART,
    "Nothing is broken: the counts of target, workers, master, exporter and summary are compared.",
)
def test_counts_agree(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    run = start(loadgen, *OPTIONS, "6s", *locustfile(loadgen), target=target)
    assert run.wait() == 0, run.output + run.logs()
    metrics = (run.directory / "metrics.prom").read_text()
    after = run.summary["after_stop"]["requests"]
    counts = {
        "target": target.received,
        "workers": workers(run),
        "master": csv_total(run.directory / "stats.csv"),
        # Metrics are of the measured interval.
        "exporter": int(sample_total(metrics, "locust_requests_total")) + after,
        "summary": everything(run.summary),
    }
    assert len(set(counts.values())) == 1, counts
    outcome(
        f"All five count the same {counts['target']:,} requests.",
        summary=run.summary,
        received=target.received,
    )


@pytest.mark.fault(
    PART,
    "One of two workers is killed; the reported maximum loss is compared with the true loss.",
)
def test_loss_is_bounded(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    run = start(loadgen, *OPTIONS, "12s", *locustfile(loadgen), target=target)
    run.wait_for(r"[0-9],[0-9]+ requests|[3-9][0-9][0-9] requests")
    send(signal.SIGKILL, run.pids("worker")[:1])
    assert run.wait() == 3, run.output
    lost = target.received - everything(run.summary)
    found = re.search(r"at most ([\d,]+) requests up to that time", reasons(run))
    assert found, run.output
    bound = int(found[1].replace(",", ""))
    assert 0 <= lost <= bound, f"{lost} lost, {bound} stated"
    outcome(
        f"verdict invalid; the summary says that at most {bound:,} requests are missing",
        summary=run.summary,
        received=target.received,
    )
