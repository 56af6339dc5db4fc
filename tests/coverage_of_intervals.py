"""How often stated intervals hold the truth, over seeds: `make coverage` prints the tables.

The truth is known because the runs are made up: response times are lognormal, and from run to run
everything is slower or faster by a factor that spreads by 10 %.
"""

import argparse
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from loadgen.node.statistics.time_rounding import bucket
from loadgen.results.comparison.compare import CompareSettings, compare
from loadgen.runs.capacity_search import TrialOutcome, find_capacity, with_curve
from loadgen.shared.snapshot import EntryStatistics
from loadgen.specification.experiment import SearchSettings

CONFIDENCE = 0.95
SPREAD_BETWEEN_RUNS = 0.10
REQUESTS = 300


@dataclass(frozen=True)
class Coverage:
    """How many of the intervals held the truth; their median width as a ratio of it."""

    held: int
    of: int
    width: float

    @property
    def ratio(self) -> float:
        """The share that held it."""
        return self.held / self.of


def made_up_run(generator: random.Random, spread: float) -> EntryStatistics:
    """Make one run whose median differs from 20 ms by a factor of its own."""
    factor, times = math.exp(generator.gauss(0, spread)), dict[float, int]()
    for _ in range(REQUESTS):
        value = bucket(factor * 20 * generator.lognormvariate(0, 0.3))
        times[value] = times.get(value, 0) + 1
    return EntryStatistics(
        "GET", "/", REQUESTS, 0, 0, times, 0.0, min(times), max(times), 0
    )  # fmt: skip


def of_comparison(
    runs: int,
    seeds: Sequence[int],
    make: Callable[[random.Random], EntryStatistics] = lambda generator: made_up_run(
        generator, SPREAD_BETWEEN_RUNS
    ),
) -> Coverage:
    """Compare runs of one and the same target: the true change of the median is 0."""
    settings = CompareSettings(confidence=CONFIDENCE)
    held, widths = 0, []
    for seed in seeds:
        generator = random.Random(seed)
        sides = [[[make(generator)] for _ in range(runs)] for _ in range(2)]
        p50 = compare(sides[0], sides[1], settings)[0]
        low, high = p50.low or 0.0, p50.high or 0.0
        held += low <= 0 <= high
        widths.append(high - low)
    return Coverage(held, len(seeds), sorted(widths)[len(widths) // 2])


def target(limit: float, spread: float, generator: random.Random) -> Callable[[int], TrialOutcome]:
    """Make a target that holds half of the trials at `limit`, and 9 in 10 at `spread` below it."""
    steepness = math.log(9) / -math.log1p(-spread)

    def measure(load: int) -> TrialOutcome:
        odds = steepness * (math.log(limit) - math.log(load))
        chance = 1 / (1 + math.exp(-max(-50.0, min(50.0, odds))))
        return TrialOutcome(state="held" if generator.random() < chance else "broke")

    return measure


Target = Callable[[float, random.Random], Callable[[int], TrialOutcome]]


def of_search(
    spread: float,
    seeds: Sequence[int],
    make: Target | None = None,
) -> Coverage:
    """Search a limit near which trials disagree; look whether the curve's interval holds it."""
    make = make or (lambda limit, generator: target(limit, spread, generator))
    settings = SearchSettings(start=10, most=10_000, trials_max=2000, confidence=CONFIDENCE)
    held, widths = 0, []
    for seed in seeds:
        generator = random.Random(seed)
        limit = math.exp(generator.uniform(math.log(80), math.log(2000)))
        found = with_curve(find_capacity(make(limit, generator), settings))
        low, high = (found.curve.low, found.curve.high) if found.curve else (None, None)
        held += (low or 0.0) <= limit <= (high or math.inf)
        widths.append(((high or math.inf) - (low or 0.0)) / limit)
    return Coverage(held, len(seeds), sorted(widths)[len(widths) // 2])


def made_up_waves(generator: random.Random) -> EntryStatistics:
    """Make a run whose requests are like those before them, as where a target has phases."""
    times, level = dict[float, int](), generator.gauss(0, 0.3)
    for _ in range(REQUESTS):
        level = 0.95 * level + generator.gauss(0, 0.3 * math.sqrt(1 - 0.95**2))
        value = bucket(20 * math.exp(level))
        times[value] = times.get(value, 0) + 1
    return EntryStatistics("GET", "/", REQUESTS, 0, 0, times, 0.0, min(times), max(times), 0)


def sinking(limit: float, spread: float, generator: random.Random) -> Callable[[int], TrialOutcome]:
    """Make a target whose limit sinks by 0.3 % from one trial to the next."""
    trials = 0

    def measure(load: int) -> TrialOutcome:
        nonlocal trials
        trials += 1
        return target(limit * max(0.5, 1 - 0.003 * trials), spread, generator)(load)

    return measure


def of_two_states(limit: float, generator: random.Random) -> Callable[[int], TrialOutcome]:
    """Make a target that bears 15 % more than `limit` in half of the trials, else 15 % less."""

    def measure(load: int) -> TrialOutcome:
        bears = limit * 1.15 if generator.random() < 0.5 else limit / 1.15
        return TrialOutcome(state="held" if load < bears else "broke")

    return measure


def tables(seeds: int) -> str:
    """Return the tables as text."""
    lines = [
        f"Stated: {CONFIDENCE:.0%}. {seeds} seeds each.",
        "",
        f"Comparison, runs that differ by {SPREAD_BETWEEN_RUNS:.0%}: the true change is 0",
        "| runs a side | held | median width |",
        "|---|---|---|",
    ]
    for runs in (1, 2, 3, 5, 10):
        found = of_comparison(runs, range(seeds))
        lines.append(f"| {runs} | {found.ratio:.1%} | {found.width:.1%} |")
    lines += [
        "",
        "Capacity search, the limit at which half of the trials hold",
        "| trials disagree over | held | median width |",
        "|---|---|---|",
    ]
    for spread in (0.02, 0.1, 0.3):
        found = of_search(spread, range(seeds))
        lines.append(f"| ±{spread:.0%} of load | {found.ratio:.1%} | {found.width:.1%} |")
    lines += [
        "",
        "Where what an interval assumes is not so",
        "| what | held |",
        "|---|---|",
    ]
    for what, coverage in (
        ("1 run a side, requests like those before", of_comparison(1, range(seeds), made_up_waves)),
        ("3 runs a side, the same", of_comparison(3, range(seeds), made_up_waves)),
        (
            "search, ±10 %, limit sinks 0.3 % a trial",
            of_search(0.1, range(seeds), lambda limit, one: sinking(limit, 0.1, one)),
        ),
        ("search, target of two states", of_search(0.1, range(seeds), of_two_states)),
    ):
        lines.append(f"| {what} | {coverage.ratio:.1%} |")
    return "\n".join(lines)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="make coverage", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="simulated comparisons (1000)")
    print(tables(parser.parse_args().seeds))


if __name__ == "__main__":
    main()
