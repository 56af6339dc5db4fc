"""The open model on real workers: its rate outlives one of them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import requests

from loadgen.simulators import alarm_receiver
from tests.local.conftest import PROJECT
from tests.ports import free_ports
from tests.servers import serving
from tests.waiting import await_

RATE = 60.0


def _rate(received: Callable[[], int], seconds: float = 3.0) -> float:
    """Return the requests a second; in 180 of a Poisson process the deviation is 13."""
    before, start = received(), time.monotonic()
    time.sleep(seconds)
    return (received() - before) / (time.monotonic() - start)


def test_rate_is_taken_over_from_a_lost_worker(tmp_path: Path) -> None:
    """Locust misses a worker after about 4 s; then the other makes the whole rate."""
    (port,) = free_ports(1)
    log = tmp_path / "locust.log"

    def locust(*arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "locust", "-f", "locustfiles/alarm_arrivals.py"]
        with log.open("ab") as output:
            return subprocess.Popen(
                [*command, *arguments],
                cwd=PROJECT,
                env={**os.environ, "PYTHONPATH": str(PROJECT)},
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    with serving(alarm_receiver.build(speed=400)) as url:

        def received() -> int:
            return int(requests.get(f"{url}/_state.json", timeout=10).json()["received"])

        workers = [locust("--worker", f"--master-port={port}") for _ in range(2)]
        master = locust(
            *("--master", f"--master-bind-port={port}", "--expect-workers", "2", "--headless"),
            *("--host", url, "--arrival-rate", f"{RATE:g}", "--run-time", "300s"),
        )
        try:
            await_(lambda: received() > 20, f"load\n{log.read_text()}")
            await_(lambda: abs(_rate(received) - RATE) < RATE / 3, "the rate from both together")
            workers[0].kill()
            await_(lambda: "setting state to missing" in log.read_text(), "the loss")
            await_(lambda: abs(_rate(received) - RATE) < RATE / 3, "the whole rate from one")
        finally:
            for process in (master, *workers):
                process.kill()
                process.wait(30)
