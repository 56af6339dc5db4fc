"""What each fault did, measured by its test and kept for the table in docs/faults.md.

A test declares its case with `@pytest.mark.fault(part, what was done)` and tells what it saw
through the fixture `outcome`, once. Rows are kept in `.cache/faults/`, one JSON file a case;
`python -m tests.faults.table` writes the table and finds the cases that have no row.
"""

import hashlib
import json
import os
import time
import uuid
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

ROWS = Path(__file__).resolve().parents[2] / ".cache" / "faults"
MARKER = "LOADGEN_FAULT_CASE"
PATIENCE_SECONDS = 10.0


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


class Outcome:
    """Call it once a test with what was seen; the row is kept when the test has ended."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.marker = uuid.uuid4().hex

    def __call__(
        self,
        seen: str,
        *,
        notice_seconds: float | None = None,
        recover_seconds: float | None = None,
        samples_lost: int | None = None,
        said: bool | None = None,
    ) -> None:
        """Tell the outcome.

        seen: what a user sees, a few words. notice_seconds: until it was said; recover_seconds:
        until work went on, or the run had ended with its results. samples_lost: requests made
        that the results don't hold. said: whether the summary speaks of the loss or the fault.
        """
        self.row.seen, self.row.said = seen, said
        self.row.notice_seconds, self.row.recover_seconds = notice_seconds, recover_seconds
        self.row.samples_lost = samples_lost

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
        self.row.processes_left = len(left)
        self.row.passed = passed and not left
        path = row_path(self.row.test)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self.row), indent=2) + "\n")


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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep the row after the test's last fixture; a case without outcome fails."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or not report.passed
    recorder = item.stash.get(KEY, None)
    if report.when == "teardown" and recorder:
        recorder.keep(passed=not item.stash[FAILED] and bool(recorder.row.seen))
        if not recorder.row.passed and not item.stash[FAILED]:
            report.outcome = "failed"
            report.longrepr = f"no outcome was told, or processes are left: {recorder.row}"
    return report
