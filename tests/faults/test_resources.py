"""Disks that fill up on the machine that runs the test."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.driving import Target, locustfile, reasons, seconds_until
from tests.faults.record import Outcome
from tests.local.conftest import Runner

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


@pytest.mark.fault(PART, "the disk of the results is full before the run")
def test_full_disk(loadgen: Runner, target: Target, outcome: Outcome, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "64k") as disk:
        (disk / "filler").write_bytes(b"\0" * (60 << 10))
        run = loadgen.start(*OPTIONS, "--host", target.url, results=disk / "results")
        code = run.wait()
        assert code == 2, run.output
        assert "has 0 MiB free, a run needs" in run.output
    outcome("refused before anything was started, in one sentence")


@pytest.mark.fault(PART, "the disk of the results fills up under load")
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
        said = f"{target.received:,} requests" in run.output
        assert said, run.output
    outcome(f"exit {code}; the verdict and the counts stand in the output")
    code, run = loadgen.finish(*OPTIONS, "--host", target.url)
    assert code == 0, run.output


@pytest.mark.fault(PART, "the machine's clock jumps by 60 s, as master and workers see it")
def test_clock_jump(loadgen: Runner, target: Target, outcome: Outcome) -> None:
    jump = """
        from types import SimpleNamespace
        from exporter import publisher, reporter
        real, began = time.time, time.monotonic()

        def jumping():
            return real() + (60 if time.monotonic() > began + 4 else 0)

        names = {name: getattr(time, name) for name in ("monotonic", "strftime", "gmtime")}
        publisher.time = reporter.time = SimpleNamespace(**names | {"time": jumping})
    """
    run = loadgen.start(*OPTIONS, "--host", target.url, *locustfile(loadgen, jump))
    run.wait_for("[1-9][0-9]* requests")
    seconds_until(run, "clock had jumped by", time.monotonic())
    assert run.wait() == 3, run.output
    assert "jumped by +60." in reasons(run) or "jumped by +59." in reasons(run), run.output
    lost = target.received - run.summary["requests"]
    outcome("run invalid: clock_jump, said at once", samples_lost=lost, said=True)
