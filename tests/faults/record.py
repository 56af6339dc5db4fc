"""What each fault did, measured by its test and kept for the table in docs/faults.md.

A test declares its case with `@pytest.mark.fault(part, what was done)` and tells what it saw
through the fixture `outcome`, once. Of a run it gives the summary and what the target received: how
many requests are lost and whether the summary says so follow from these. Processes left and runs
that hung are found by the recorder itself. Rows are kept in `.cache/faults/`, one JSON file a case;
`python -m tests.faults.table` writes the table and finds the cases that have no row.
"""

import hashlib
import json
import os
import subprocess
import time
import uuid
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest

ROWS = Path(__file__).resolve().parents[2] / ".cache" / "faults"
MARKER = "LOADGEN_FAULT_CASE"
PATIENCE_SECONDS = 10.0
# The kinds of reasons that speak of requests that are in no count.
LOSS_KINDS = {"lost_worker", "lost_samples", "cut_requests", "fault"}


@dataclass
class Row:
    """One case's outcome; seconds since the fault, None where the question makes no sense."""

    part: str
    done: str
    test: str
    at: float
    passed: bool = False
    seen: str = ""
    notice_seconds: float | None = None
    recover_seconds: float | None = None
    samples_lost: int | None = None
    said: bool | None = None
    processes_left: int = 0
    hung: bool = False


class Outcome:
    """Call it once a test with what was seen; the row is kept when the test has ended."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.marker = uuid.uuid4().hex

    def __call__(
        self,
        seen: str,
        *,
        summary: Mapping[str, Any] | None = None,
        received: int | None = None,
        notice_seconds: float | None = None,
        recover_seconds: float | None = None,
        said: bool | None = None,
    ) -> None:
        """Tell the outcome.

        seen: what a user sees, a few words. summary, received: the run's, and the requests that
        its target counted. notice_seconds: until it was said; recover_seconds: until work went
        on, or the run had ended with its results. said: whether the output speaks of the fault,
        where there is no summary.
        """
        self.row.seen, self.row.said = seen, said
        self.row.notice_seconds, self.row.recover_seconds = notice_seconds, recover_seconds
        if summary is not None:
            self._judge(summary, received)

    def _judge(self, summary: Mapping[str, Any], received: int | None) -> None:
        """Derive what was lost, and whether the summary speaks of that, or else of anything."""
        kinds = set(summary["reason_kinds"])
        # A worker that ended by itself is a reason under its own name.
        own = {kind for kind in kinds if kind.startswith("worker ")}
        said = bool(kinds) if summary["verdict"] != "passed" else None
        if received is not None:
            lost = self.row.samples_lost = received - everything(summary)
            # A failed request may not have reached the target; no other may be counted twice.
            assert lost >= -summary["failures"], f"{-lost} requests too many: {summary}"
            if lost > 0:
                said = bool(kinds & LOSS_KINDS or own)
        if summary["verdict"] in ("invalid", "error"):
            assert summary["reasons"], f"no reason: {summary}"
        self.row.said = said

    def processes(self) -> list[int]:
        """Return the ids of the processes that the test started and that still run."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                marked = self.marker.encode() in (entry / "environ").read_bytes()
            except OSError:
                continue
            if marked and int(entry.name) != os.getpid():
                found.append(int(entry.name))
        return found

    def keep(self, *, passed: bool) -> None:
        """Count the processes left, and write the row."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.row.processes_left += len(left)
        silent = (self.row.samples_lost or 0) > 0 and not self.row.said
        self.row.passed = passed and not self.row.processes_left and not silent
        path = row_path(self.row.test)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self.row), indent=2) + "\n")


def everything(summary: Mapping[str, Any]) -> int:
    """Return a run's requests, those that were answered in its stop phase included."""
    after: Mapping[str, int] = summary.get("after_stop", {})
    return int(summary["requests"]) + after.get("requests", 0)


KEY = pytest.StashKey[Outcome]()
FAILED = pytest.StashKey[bool]()


def row_path(test: str) -> Path:
    """Return where the row of a test, named by its node id, lies."""
    return ROWS / f"{hashlib.sha256(test.encode()).hexdigest()[:16]}.json"


def case(item: pytest.Item) -> Row | None:
    """Return the case that a test declares, its outcome still empty."""
    mark = item.get_closest_marker("fault")
    if mark is None:
        return None
    part, done = mark.args
    return Row(part, done, item.nodeid, time.time())


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", "fault(part, done): a case of the fault table")


@pytest.fixture
def outcome(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Outcome:
    """Give the recorder of a case; every process started from now on is counted at the end."""
    row = case(request.node)
    assert row, "a test that records an outcome declares it: @pytest.mark.fault(part, done)"
    recorder = request.node.stash[KEY] = Outcome(row)
    monkeypatch.setenv(MARKER, recorder.marker)
    return recorder


def hung(error: BaseException | None) -> bool:
    """Tell whether a test ended by a hard timeout: because something else did not end."""
    return isinstance(error, subprocess.TimeoutExpired) or "Timeout (>" in str(error)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the row after the test's last fixture; a case without outcome fails."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or not report.passed
    recorder = item.stash.get(KEY, None)
    if recorder and call.excinfo and hung(call.excinfo.value):
        recorder.row.hung = True
    if report.when == "teardown" and recorder:
        recorder.keep(passed=not item.stash[FAILED] and bool(recorder.row.seen))
        if not recorder.row.passed and not item.stash[FAILED]:
            report.outcome = "failed"
            report.longrepr = (
                "no outcome was told, processes are left, or the summary is silent about a loss: "
                f"{recorder.row}"
            )
    return report
