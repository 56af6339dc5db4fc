"""Compares generators in pairs: `python -m tests.bench [--rounds N] [--seconds N] [--only TEXT]`.

The target has one core, the generator another. In a round every generator runs once, right after
the one that it is compared with; a ratio is taken within a round, and the table has the medians.
Writes docs/benchmark.md, docs/benchmark.svg and docs/sizing.md.
"""

import argparse
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.generators import ROOT, Found, Generator, Load, available
from tests.bench.report import Accuracy, Results, write
from tests.bench.targets import delayed, nginx

BASE = "FastHttpUser"
LOCUST = {"FastHttpUser", "FastUser", "HttpUser"}


@dataclass(frozen=True)
class Scenario:
    """A load with a name, and the generators that can make it."""

    name: str
    load: Load
    generators: frozenset[str]


def scenarios(http: str, https: str, seconds: int, core: int) -> list[Scenario]:
    """Return the loads that are compared."""
    everyone = frozenset(available())
    posts = everyone - {"wrk", "autocannon"}
    get = Load("get", http, connections=50, seconds=seconds, core=core)
    return [
        Scenario("small GET, 1 connection", replace(get, connections=1), everyone),
        Scenario("small GET, 50 connections", get, everyone),
        Scenario("small GET, 1,000 connections", replace(get, connections=1000), everyone),
        Scenario("10 kB GET, 50 connections", replace(get, task="10kb"), everyone),
        Scenario("JSON POST, 50 connections", replace(get, task="post"), posts),
        Scenario("JSON POST, catch_response", replace(get, task="caught"), frozenset(LOCUST)),
        Scenario("HTTPS GET, 50 connections", replace(get, url=https), everyone),
        Scenario(
            "small GET, 1,000 users, 1 s of think time",
            replace(get, connections=1000, wait_seconds=1.0),
            frozenset(LOCUST),
        ),
    ]


def compare(scenario: Scenario, rounds: int) -> Results:
    """Run a scenario's generators in turn, `rounds` times."""
    generators = {name: run for name, run in available().items() if name in scenario.generators}
    found: dict[str, list[Found]] = {name: [] for name in generators}
    for number in range(1, rounds + 1):
        for name, run in generators.items():
            found[name].append(run(scenario.load))
            _say(scenario.name, name, number, found[name][-1])
    return Results(scenario.name, BASE, found)


def measure_accuracy(connections: int, seconds: int, cores: tuple[int, int]) -> list[Accuracy]:
    """Let each generator measure known delays; one target, and one truth, for each."""
    names = ("FastUser", "FastHttpUser", "wrk", "k6")
    chosen: dict[str, Generator] = {n: run for n, run in available().items() if n in names}
    measured = []
    for name, run in chosen.items():
        with delayed(cores[0]) as truth:
            load = Load("get", truth.url, connections, seconds, cores[1], timed=True)
            found = run(load)
        measured.append(Accuracy(name, connections, found, truth))
        _say(f"known delays, {connections} connections", name, 1, found)
    return measured


def _say(scenario: str, generator: str, number: int, found: Found) -> None:
    rate = f"{found.per_second:,.0f} requests/s, {found.cpu_microseconds:.1f} µs CPU a request"
    print(f"{scenario}: {generator}, round {number}: {rate}", file=sys.stderr)


def main() -> None:
    """Run everything, then write the documents."""
    parser = argparse.ArgumentParser(prog="tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=10, help="of each run")
    parser.add_argument("--only", default="", help="scenarios whose name has this text")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="where to write")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        parser.error(f"this process may use {len(cores)} core; a benchmark needs two of its own")
    with nginx(cores[0]) as urls:
        wanted = scenarios(urls.http, urls.https, options.seconds, cores[1])
        results = [compare(one, options.rounds) for one in wanted if options.only in one.name]
    accuracies = []
    if not options.only or options.only in "known delays":
        for connections in (5, 50, 400):
            accuracies += measure_accuracy(connections, options.seconds, (cores[0], cores[1]))
    write(options.docs, results, accuracies)


if __name__ == "__main__":
    main()
