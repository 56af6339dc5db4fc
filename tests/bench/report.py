"""Writes what a benchmark found: tables, a picture, and the sizing that follows from it."""

import importlib.metadata
import math
import os
import platform
import re
import shutil
import subprocess
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, median, quantiles

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.bench import sizing
from tests.bench.costs import (
    PLAIN,
    TURN_REQUESTS,
    Beside,
    Endurance,
    MasterLoad,
    Scrape,
    Switched,
    Waiting,
)
from tests.bench.distributed import Counted
from tests.bench.generators import Found, autocannon_binary, k6_binary
from tests.bench.targets import Truth

SIZED_SCENARIO = "small GET, 50 connections"
KIT = "the kit's code"
_CLAIMED = {
    SIZED_SCENARIO: "small GETs",
    "JSON POST, 50 connections": "JSON POSTs",
    "HTTPS GET, 50 connections": "HTTPS",
    "small GET, 1,000 connections": "1,000 connections",
}
_MADE = "<!-- `make bench` writes this page. Don't edit it by hand. -->\n"


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

    def p99(self, generator: str) -> str:
        """Median of the 99th percentiles in milliseconds, "-" where they were not measured."""
        times = [one.p99_ms for one in self.found[generator] if one.p99_ms is not None]
        return f"{median(times):.2f}" if times else "-"

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


@dataclass
class Costs:
    """What the kit's parts cost; what was not measured stays empty."""

    kit: Switched | None = None
    beside: list[Beside] = field(default_factory=list)
    growth: dict[int, Counted] = field(default_factory=dict)
    masters: list[MasterLoad] = field(default_factory=list)
    waiting: Waiting | None = None
    scrape: Scrape | None = None
    endurance: Endurance | None = None
    logged: Switched | None = None


def document(results: list[Results], accuracies: list[Accuracy], costs: Costs) -> str:
    """Return the benchmark as Markdown."""
    parts = [_MADE, "# Benchmark\n", _machine(), *map(_table, results)]
    if accuracies:
        parts.append(_accuracy_table(accuracies))
    return "\n".join([*parts, *_cost_tables(costs)])


def claim(results: list[Results]) -> str:
    """Return README's sentence, its ratios rounded down; "" if nothing that it claims was run."""
    claimed = [one for one in results if one.name in _CLAIMED]
    if not claimed:
        return ""
    ratios = [(_down(one.ratio("FastUser", one.base)), _CLAIMED[one.name]) for one in claimed]
    said = ", ".join(f"{ratio} times on {what}" for ratio, what in ratios)
    k6 = [one for one in claimed if one.name == SIZED_SCENARIO and "k6" in one.found]
    more = f"; {_down(k6[0].ratio('FastUser', 'k6'))} times k6's on small GETs" if k6 else ""
    return (
        f"- **FastUser**: Locust's interface with more requests a core than {claimed[0].base}:\n"
        f"  {said}{more}\n  ([how it was measured](docs/benchmark.md))."
    )


def _down(ratio: float) -> str:
    return f"{math.floor(ratio * 10) / 10:.1f}"


def write(docs: Path, results: list[Results], accuracies: list[Accuracy], costs: Costs) -> None:
    """Write benchmark.md, benchmark.svg and, if its scenario was run, sizing.md."""
    docs.mkdir(parents=True, exist_ok=True)
    text = document(results, accuracies, costs)
    if results:
        picture = "![Requests a second on one core](benchmark.svg)\n\n## "
        text = text.replace("## ", picture, 1)
        _draw(results, docs / "benchmark.svg")
    (docs / "benchmark.md").write_text(text)
    for result in results:
        if result.name == SIZED_SCENARIO:
            rate = result.rate("FastUser")
            text = sizing.document(rate, costs.masters, costs.waiting)
            (docs / "sizing.md").write_text(_MADE + "\n" + text)


def _machine() -> str:
    model = next(
        (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
         if line.startswith("model name")), platform.machine(),
    )  # fmt: skip
    installed = {one.name: one.version for one in importlib.metadata.distributions()}
    names = [name for name in ("locust", "gevent") if name in installed]
    versions = ", ".join(f"{name} {installed[name]}" for name in names)
    return (
        f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, Python "
        f"{platform.python_version()} ({_build()}), {versions}, {_version('nginx', '-v')}, "
        f"{_version('wrk', '-v')}, {_version('h2load', '--version')}, {_named('k6', k6_binary())}, "
        f"{_named('autocannon', autocannon_binary())}. The target server uses one core and the "
        "load generator another core. Each rate is the number of requests per second that the "
        "generator sends with its one core. Each figure is the median of several rounds of the "
        "benchmark. In each round every generator runs once, and each ratio compares two runs of "
        "the same round. In the test with a constant rate, FastUser's response times begin at the "
        "scheduled time of a request.\n"
    )


def _build() -> str:
    """Say how Python was built: a build without optimisations is a tenth slower."""
    options = sysconfig.get_config_var("CONFIG_ARGS") or ""
    optimised = "optimised" if "--enable-optimizations" in options else "not optimised"
    lto = ", LTO" if "--with-lto" in options else ""
    return f"{platform.python_compiler()}, {optimised}{lto}"


def _named(name: str, binary: str) -> str:
    if not binary:
        return f"no {name}"
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False)
    found = re.search(r"\d+\.\d+\.\d+", said.stdout + said.stderr)
    return f"{name} {found[0] if found else 'of unknown version'}"


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
        f"| generator | requests/s | ratio to {result.base} | ratio to k6 | CPU per request, µs "
        "| memory, MB | p99, ms | failures |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in sorted(result.found, key=result.rate, reverse=True):
        against_k6 = f"{result.ratio(name, 'k6'):.2f}" if has_k6 else "-"
        lines.append(
            f"| {name} | {result.rate(name):,.0f} | {result.ratio(name, result.base):.2f} "
            f"| {against_k6} | {result.cpu(name):.1f} | {result.memory(name) / 1e6:.0f} "
            f"| {result.p99(name)} | {result.failures(name)} |"
        )
    return "\n".join([*lines, ""])


def _accuracy_table(accuracies: list[Accuracy]) -> str:
    lines = [
        "## Accuracy against known delays\n",
        "The target answers each request after 2 ms, but every 50th request after 20 ms. The "
        "target records the true duration of each delay. In this table, an error is the "
        "percentile that the generator reports minus the percentile that the target recorded, in "
        "milliseconds. wrk does not report its minimum response time.\n",
        "| connections | generator | requests/s | error of p50 | error of p99 "
        "| error of the minimum |",
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


def _cost_tables(costs: Costs) -> list[str]:
    tables = []
    if costs.kit:
        tables.append(_kit_table(costs.kit, costs.beside))
    if costs.logged:
        tables.append(_logged_text(costs.logged))
    if costs.growth:
        tables.append(_growth_table(costs.growth))
    if costs.masters:
        tables.append(_masters_table(costs.masters))
    if costs.waiting:
        tables.append(_waiting_text(costs.waiting))
    if costs.scrape:
        tables.append(_scrape_text(costs.scrape))
    if costs.endurance:
        tables.append(_endurance_text(costs.endurance))
    return tables


def _kit_table(kit: Switched, beside: list[Beside]) -> str:
    plain, full = beside[0], beside[-1]
    rest = 1 - (full.worker - plain.worker) / 1000
    lines = [
        "## How much CPU time the kit uses in a worker\n",
        "The CPU time of a request was measured in one process with 50 users and small GETs. This "
        f"process sent {TURN_REQUESTS:,} requests without the kit's code, then as many with it, "
        f"and so on. {_spread(kit, KIT)} The CPU time for all other work was "
        "measured in workers that sent 50 requests/s. These workers ran at the same time, each "
        "with its own master, and the exporter was scraped every 5 s. For other work than "
        f"requests, a worker with the kit uses {full.worker - plain.worker:.1f} ms more CPU time "
        "per second. A core with all parts of the kit therefore sends "
        f"{kit.ratio * rest:.3f} times as many requests as {PLAIN}. To see the cost of TLS "
        "connections to the target, compare the table for HTTPS GET with the table for small "
        "GET.\n",
        "| configuration | CPU time per request, µs | other work of the worker, ms/s "
        "| master, ms/s | exporter, ms/s |",
        "|---|---|---|---|---|",
    ]
    for one in beside:
        request = fmean(kit.having if one is full else kit.without)
        exporter = "-" if one.exporter is None else f"{one.exporter:.1f}"
        lines.append(
            f"| {one.name} | {request:.1f} | {one.worker:.1f} | {one.master:.1f} | {exporter} |"
        )
    return "\n".join([*lines, ""])


def _spread(found: Switched, part: str) -> str:
    low, _, high = quantiles(found.ratios, n=4)
    return (
        f"A request took {fmean(found.without):.1f} µs of CPU time without {part} and "
        f"{fmean(found.having):.1f} µs with it. A core therefore sends {found.ratio:.3f} times as "
        f"many requests with {part}. In half of the {len(found.ratios)} pairs of measurements, "
        f"this ratio was between {low:.3f} and {high:.3f}."
    )


def _logged_text(found: Switched) -> str:
    return (
        "## How much CPU time the request log uses\n\nOne process with 50 users sent small GETs: "
        f"{TURN_REQUESTS:,} requests without the request log, then as many with it, and so on. "
        f"{_spread(found, 'the request log')}\n"
    )


def _growth_table(growth: dict[int, Counted]) -> str:
    lines = [
        "## Scaling with the number of workers\n",
        "In this test, the kit's workers, one on each core, fired Locust's request event without "
        "sending requests to a target.\n",
        "| workers | events/s | ratio to one worker |",
        "|---|---|---|",
    ]
    for workers, counted in growth.items():
        ratio = counted.per_second / growth[1].per_second
        lines.append(f"| {workers} | {counted.per_second:,.0f} | {ratio:.2f} |")
    return "\n".join([*lines, ""])


def _masters_table(masters: list[MasterLoad]) -> str:
    lines = [
        "## The master\n",
        "Simulated workers (`simulated_workers.py`) were connected to a real master. Each "
        "simulated worker reported statistics for all request names once a second. The table "
        "shows the master's CPU usage, and how long the master took to answer a heartbeat over "
        "ZeroMQ with CURVE.\n",
        "| workers | request names | CPU usage of the master | heartbeat p50, ms "
        "| slowest heartbeat, ms |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {one.workers:,} | {one.names:,} | {one.cpu_ratio:.0%} | {one.heartbeat_p50_ms:.1f} "
        f"| {one.heartbeat_max_ms:.1f} |"
        for one in masters
    ]
    return "\n".join([*lines, ""])


def _waiting_text(waiting: Waiting) -> str:
    return (
        f"## Many users in one worker\n\nIn one worker, each of {waiting.users:,} users sent one "
        f"request every {waiting.wait_seconds:g} s. With a spawn rate of "
        f"{waiting.spawn_rate:,} users/s, the last user started {waiting.ramp_seconds:.1f} s after "
        f"the first. Each user needed {waiting.memory_bytes_a_user / 1e3:.1f} kB of memory. All "
        f"users together sent {waiting.per_second:,.0f} requests/s and used "
        f"{waiting.cpu_ratio:.0%} of a core. Half of the users' waiting times ended at most "
        f"{waiting.late_p50_ms:.1f} ms late, and 99 % of them at most {waiting.late_p99_ms:.1f} ms "
        "late. Users start in groups, one group in each tenth of a second. The users of a group "
        "finish waiting at the same moment, so they send their requests together.\n"
    )


def _scrape_text(scrape: Scrape) -> str:
    return (
        f"## A Prometheus scrape\n\nA scrape with {scrape.names:,} request names and "
        f"{scrape.workers} workers transferred {scrape.megabytes:.1f} MB over HTTP. The median "
        f"duration of a scrape was {scrape.median_seconds:.3f} s, and the slowest scrape took "
        f"{scrape.slowest_seconds:.3f} s.\n"
    )


def _endurance_text(found: Endurance) -> str:
    _, first_bytes, first_open = found.samples[len(found.samples) // 3]
    requests, last_bytes, last_open = found.samples[-1]
    return (
        f"## Endurance\n\nOne process with 50 users sent {requests:,} requests. After a third of "
        f"these requests, the process used {first_bytes / 1e6:.2f} MB of memory and {first_open} "
        f"file descriptors. At the end, the process used {last_bytes / 1e6:.2f} MB of memory and "
        f"{last_open} file descriptors. The memory of the process changed by {found.slope:+.4f} "
        f"bytes per request, and {found.failures} requests failed.\n"
    )


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
