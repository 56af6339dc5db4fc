"""Compares generators in pairs, and says what the kit's own parts cost: `python -m tests.bench`.

The target has one core, the generator another. In a round every generator runs once, right after
the one that it is compared with; a ratio is taken within a round, and the table has the medians.
Writes docs/benchmark.md, docs/benchmark.svg and docs/sizing.md.
"""

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from tests.bench.costs import (
    SIMULATED,
    measure_beside,
    measure_endurance,
    measure_growth,
    measure_master,
    measure_scrape,
    measure_switched,
    measure_waiting,
)
from tests.bench.generators import ROOT, Found, Generator, Load, available
from tests.bench.report import Accuracy, Costs, Results, claim, document, write
from tests.bench.targets import delayed, nginx

BASE = "FastHttpUser"
WAITING_USERS = 10_000
SWITCHED_PAIRS = 40
BESIDE_SECONDS = 20


@dataclass(frozen=True)
class Scenario:
    """A load with a name, and the generators that can make it.

    A figure of it is `claimed` somewhere, so it takes all rounds; the others take two.
    """

    name: str
    load: Load
    generators: frozenset[str]
    claimed: bool = False


def scenarios(http: str, https: str, seconds: int, core: int) -> list[Scenario]:
    """Return the loads that are compared."""
    everyone = frozenset(available())
    few = everyone - {"HttpUser"}
    posts = few - {"wrk", "h2load", "autocannon"}
    get = Load("get", http, connections=50, seconds=seconds, core=core)
    brief = replace(get, seconds=max(2, seconds - 1))
    pair = frozenset({"FastHttpUser", "FastUser"})
    return [
        Scenario("small GET, 50 connections", get, everyone, claimed=True),
        Scenario("small GET, 1,000 connections", replace(get, connections=1000), few, claimed=True),
        Scenario("JSON POST, 50 connections", replace(get, task="post"), posts, claimed=True),
        Scenario("HTTPS GET, 50 connections", replace(get, url=https), few, claimed=True),
        Scenario("small GET, 1 connection", replace(brief, connections=1), few),
        Scenario("10 kB GET, 50 connections", replace(brief, task="10kb"), few),
        Scenario("JSON POST, catch_response", replace(brief, task="caught"), pair),
        Scenario(
            "a mix of requests as to DSpace: searches, JSON pages, a form, checks",
            replace(brief, task="mix"),
            pair,
        ),
        Scenario(
            "constant rate, 4,000 requests/s",
            replace(brief, per_second=4000, timed=True),
            frozenset({"FastHttpUser", "FastUser", "k6", "h2load"}) & everyone,
        ),
        Scenario(
            "small GET, 1,000 users, 1 s of think time",
            replace(brief, connections=1000, wait_seconds=1.0),
            pair,
        ),
    ]


def compare(scenario: Scenario, rounds: int) -> Results:
    """Run a scenario's generators in turn, `rounds` times if a figure of it is claimed."""
    generators = {name: run for name, run in available().items() if name in scenario.generators}
    found: dict[str, list[Found]] = {name: [] for name in generators}
    for number in range(1, (rounds if scenario.claimed else min(2, rounds)) + 1):
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


def measure_costs(wanted: Callable[[str], bool], url: str, options: argparse.Namespace) -> Costs:
    """Measure what the kit's parts cost, those that are wanted."""
    cores = sorted(os.sched_getaffinity(0))
    pair = (cores[0], cores[-1])
    costs = Costs()
    if wanted("what the kit costs"):
        costs.kit = measure_switched("kit", url, SWITCHED_PAIRS, pair[1])
        costs.beside = measure_beside(url, BESIDE_SECONDS, pair)
        print(f"the kit: {costs.kit.ratios} {costs.beside}", file=sys.stderr)
    if wanted("request log"):
        costs.logged = measure_switched("log", url, SWITCHED_PAIRS, pair[1])
        print(f"the request log: {costs.logged.ratios}", file=sys.stderr)
    if wanted("growth"):
        for workers in sorted({1, len(cores)}):
            costs.growth[workers] = measure_growth(workers, options.seconds, cores)
            _say_round(f"{workers} workers", 1, costs.growth[workers].per_second)
    if wanted("the master"):
        for workers, names in SIMULATED:
            costs.masters.append(measure_master(workers, names, options.seconds + 2, pair))
            print(f"the master: {costs.masters[-1]}", file=sys.stderr)
    if wanted("waiting users"):
        costs.waiting = measure_waiting(url, WAITING_USERS, 20, pair)
        print(costs.waiting, file=sys.stderr)
    if wanted("scrape"):
        costs.scrape = measure_scrape(pair)
        print(costs.scrape, file=sys.stderr)
    if wanted("endurance"):
        costs.endurance = measure_endurance(url, options.requests, pair[1])
    return costs


def _say_round(name: str, number: int, rate: float) -> None:
    print(f"{name}, round {number}: {rate:,.0f} a second", file=sys.stderr)


def _say(scenario: str, generator: str, number: int, found: Found) -> None:
    rate = f"{found.per_second:,.0f} requests/s, {found.cpu_microseconds:.1f} µs CPU a request"
    print(f"{scenario}: {generator}, round {number}: {rate}", file=sys.stderr)


def main() -> None:
    """Run everything, then write the documents."""
    parser = argparse.ArgumentParser(prog="tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="of what is claimed")
    parser.add_argument("--seconds", type=int, default=3, help="of each run")
    parser.add_argument("--requests", type=int, default=500_000, help="of the endurance")
    parser.add_argument("--only", default="", help="parts whose name has this text; prints them")
    parser.add_argument("--docs", type=Path, help="where to write (docs; with --only nowhere)")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        parser.error(f"this process may use {len(cores)} core; a benchmark needs two of its own")

    def wanted(name: str) -> bool:
        return options.only in name

    with nginx(cores[0]) as urls:
        loads = scenarios(urls.http, urls.https, options.seconds, cores[1])
        results = [compare(one, options.rounds) for one in loads if wanted(one.name)]
        costs = measure_costs(wanted, urls.http, options)
    accuracies = []
    if wanted("known delays"):
        for connections in (5, 50, 400):
            accuracies += measure_accuracy(connections, options.seconds, (cores[0], cores[1]))
    if not results and not accuracies and costs == Costs():
        parser.error(
            f"--only {options.only!r} is in no part's name; one is 'small GET, 1 connection'"
        )
    if options.only and options.docs is None:
        print(document(results, accuracies, costs))
    else:
        write(options.docs or ROOT / "docs", results, accuracies, costs)
    if sentence := claim(results):
        print(f"For README.md:\n{sentence}")


if __name__ == "__main__":
    main()
