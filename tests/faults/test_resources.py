"""Disks and memory that run out on the machine that runs the test, and a clock that is set."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.driving import Target, locustfile, reasons, seconds_until, start
from tests.faults.memory import group_root, kills, memory_limit
from tests.faults.record import Outcome
from tests.local.conftest import Runner
from tests.waiting import await_

PART = "Resources"
OPTIONS = ("--users", "8", "--spawn-rate", "8", "--workers", "2", "--run-time", "6s")
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a small file system needs root")


@contextmanager
def small_disk(directory: Path, size: str) -> Iterator[Path]:
    directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", directory], check=True)
    try:
        yield directory
    finally:
        subprocess.run(["umount", directory], check=True)


@pytest.mark.fault(PART, "The disk for the results is full before the run.")
def test_full_disk(loadgen: Runner, target: Target, outcome: Outcome, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "64k") as disk:
        (disk / "filler").write_bytes(b"\0" * (60 << 10))
        run = loadgen.start(*OPTIONS, "--host", target.url, results=disk / "results")
        code = run.wait()
        assert code == 2, run.output
        assert "has 0 MiB free, but a run needs" in run.output
    outcome("The run is refused with a one-sentence error before any process is started.")


@pytest.mark.fault(PART, "The disk for the results becomes full under load.")
def test_disk_that_fills(loadgen: Runner, target: Target, outcome: Outcome, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "34m") as disk:
        run = loadgen.start(
            *OPTIONS, "--host", target.url, *locustfile(loadgen), results=disk / "results"
        )
        run.wait_for("[1-9][0-9]* requests")
        with (disk / "filler").open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(b"\0" * (1 << 16))
            except OSError:
                pass
        code = run.wait()
        assert code == 4, run.output
        assert "Traceback" not in run.output
        assert "No space left" in run.output, run.output
        # In the measured interval, and after it.
        counts = re.findall(r"([\d,]+) requests, [\d,]+ failed", run.output)
        said = sum(int(count.replace(",", "")) for count in counts)
        assert said == target.received, run.output
    outcome(f"The exit code is {code}; the terminal shows the verdict and the counts.")
    code, run = loadgen.finish(*OPTIONS, "--host", target.url)
    assert code == 0, run.output


@pytest.mark.fault(PART, "The clock that master and workers see jumps by 60 s.")
def test_clock_jump(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    jump = """
        from types import SimpleNamespace
        from loadgen.node.statistics import master_snapshot, publisher, reporter
        real, began = time.time, time.monotonic()

        def jumping():
            return real() + (60 if time.monotonic() > began + 4 else 0)

        names = {name: getattr(time, name) for name in ("monotonic", "strftime", "gmtime")}
        clock = SimpleNamespace(**names | {"time": jumping})
        master_snapshot.time = publisher.time = reporter.time = clock
    """
    run = loadgen.start(*OPTIONS, "--host", target.url, *locustfile(loadgen, jump))
    run.wait_for("[1-9][0-9]* requests")
    seconds_until(run, "clock jumped by", time.monotonic())
    assert run.wait() == 3, run.output
    assert "jumped by +60." in reasons(run) or "jumped by +59." in reasons(run), run.output
    outcome(
        "verdict invalid: clock_jump, reported at once",
        summary=run.summary,
        received=target.received,
    )


@pytest.mark.skipif(group_root() is None, reason="the kernel's memory controller is not to be had")
@pytest.mark.fault(PART, "A worker leaks memory until the kernel kills it (out of memory).")
def test_kernel_out_of_memory(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    leak = """
        held = []
        def leak(self):
            self.client.get("/leak")
            held.append(bytes([1]) * (1 << 20))
        HelloUser.tasks = [leak]
    """
    run = start(loadgen, *OPTIONS[:-1], "12s", *locustfile(loadgen, leak), target=target)
    with memory_limit(run.pids("worker")[0], 100 << 20) as group:
        await_(lambda: kills(group) == 1, "worker ended by the kernel", 30)
        since = time.monotonic()
        noticed = seconds_until(run, "was ended by SIGKILL", since)
        code = run.wait()
    assert code == 3, run.output
    outcome(
        f"verdict {run.summary['verdict']}: worker-N was ended by SIGKILL",
        notice_seconds=noticed,
        recover_seconds=time.monotonic() - since,
        summary=run.summary,
        received=target.received,
    )
