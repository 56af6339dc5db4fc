"""Writes docs/faults.md from the rows that the last run of the fault suite left.

A declared case without a row, a failed one, a run that hung, processes left, and a loss that no
summary spoke of are faults of the table: they are printed, and the exit code is 1.
"""

import contextlib
import io
import json
import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest

from tests.faults.record import Row, case, row_path

NOTHING = "\N{EN DASH}"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
PATHS = ("tests/local", "tests/monitoring", "tests/attackers", "tests/faults")
HEAD = """# Faults
This page lists the faults that the tests cause on purpose, and what a user sees after each fault.
`make test-faults` causes all faults in these tables again and rewrites this page. The figures on
this page are from {day}.

If a fault was tried during a run, the text in the column *What a user saw* begins with the
verdict of that run. The words
after the verdict, such as `lost_worker`, are the kinds of reasons in the summary of the run. The
other columns are:

- *Noticed after*: the time from the fault until the output of the run mentioned it.
- *Over after*: the time from the fault until everything worked again, or until the run had ended
  with its results.
- *Requests lost*: the number of requests that the target counted and the summary did not.
- *Reported*: whether the summary contains a reason for its verdict. If requests were lost, the
  reason must mention missing requests.
- *Processes left*: the number of processes of the test that were still running afterwards, on
  this machine or on the hosts of the fleet.

A dash means that a column does not apply to the fault. A test case fails if processes are left,
if it does not end, or if requests are lost and the summary does not report this.

{tally}
"""
NOT_DONE = """
## What is not tested
- No test makes systemd end a worker because of its unit's memory limit (`MemoryMax`). The hosts
  of the lab share the memory controller of this machine. On one machine, a test makes the kernel
  end a worker that uses too much memory.
- No test changes the clock of a whole lab host, because all lab hosts use the kernel of this
  machine. Instead, libfaketime changes the time that the kit's processes on a host see.
- These tests do not interrupt deploy and teardown. `tests/lab/test_deploy_faults.py` interrupts
  them at every eighth task (at every task with `LOADGEN_INTERRUPT_STEP=1`, which takes an hour).
"""
COLUMNS = (
    "| What was broken | What a user saw | Noticed after | Over after | Requests lost | Reported "
    "| Processes left |\n|---|---|---|---|---|---|---|"
)


class Cases:
    """Collects the declared cases."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Take every test that declares one."""
        self.rows += [row for item in items if (row := case(item))]


def declared() -> list[Row]:
    """Return each case that a test declares, in the order of the tests."""
    cases = Cases()
    paths = [path for path in PATHS if Path(path).exists()]
    # Our own plugin is imported already, as pytest warns; here nothing is to be rewritten.
    options = ["--collect-only", "-qq", "-m", "fault", "-W", "ignore"]
    with contextlib.redirect_stdout(io.StringIO()):
        code = pytest.main([*options, *paths], plugins=[cases])
    assert code == pytest.ExitCode.OK, "the tests can't be collected"
    return cases.rows


def kept(row: Row) -> Row | None:
    """Return the outcome that the last run left for a case, which may have been reworded since."""
    path = row_path(row.test)
    if not path.exists():
        return None
    return replace(Row(**json.loads(path.read_text())), part=row.part, done=row.done)


def silent(row: Row) -> bool:
    """Tell whether samples were lost and the summary doesn't say so."""
    return (row.samples_lost or 0) > 0 and not row.said


def tally(rows: list[Row]) -> str:
    """Sum up what must be zero."""
    return (
        f"**{len(rows)} cases: {sum(not row.passed for row in rows)} failed, "
        f"{sum(row.hung for row in rows)} runs did not end, "
        f"{sum(row.processes_left for row in rows)} processes were left, "
        f"{sum(map(silent, rows))} losses were not reported.**"
    )


def faults(cases: Iterable[Row]) -> Iterable[str]:
    """Say what keeps the table from being whole."""
    for declared_row in cases:
        row = kept(declared_row)
        if row is None:
            yield f"{declared_row.test}: declared, but it has no outcome; run make test-faults"
        elif silent(row):
            yield f"{row.test}: lost {row.samples_lost} samples, and the summary is silent"
        elif row.hung:
            yield f"{row.test}: hung"
        elif not row.passed:
            yield f"{row.test}: failed, {row.processes_left} processes left"


def seconds(value: float | None) -> str:
    """Return a time to a tenth, or a dash."""
    return NOTHING if value is None else f"{value:.1f} s"


def line(row: Row) -> str:
    """Return a row of the table."""
    lost = NOTHING if row.samples_lost is None else f"{row.samples_lost:,}"
    said = {None: NOTHING, True: "yes", False: "no"}[row.said]
    times = (seconds(row.notice_seconds), seconds(row.recover_seconds))
    seen = row.seen if row.passed else f"**failed: the test case did not pass** {row.seen}".strip()
    cells = (row.done, seen, *times, lost, said, str(row.processes_left))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def page(rows: list[Row]) -> str:
    """Return the whole page; rows come sorted by part."""
    day = time.strftime("%Y-%m-%d", time.gmtime(max(row.at for row in rows)))
    text = HEAD.format(day=day, tally=tally(rows))
    for part, members in groupby(rows, lambda row: row.part):
        text += f"\n## {part}\n{COLUMNS}\n" + "\n".join(map(line, members)) + "\n"
    return text + NOT_DONE


def main() -> int:
    """Write the page from what there is; fail when it isn't whole."""
    cases = declared()
    rows = sorted((kept(each) or each for each in cases), key=lambda row: row.part)
    if rows:
        PAGE.write_text(page(rows))
    wrong = list(faults(cases))
    print("\n".join(wrong) or f"{len(rows)} cases, each with its outcome: docs/faults.md")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
