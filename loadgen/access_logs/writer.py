"""From counted traffic to what is written: a locustfile, a profile of arrivals, an experiment."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from loadgen.access_logs.traffic import Traffic
from loadgen.scenario.shapes.rates import RecordedRate
from loadgen.shared.made_source import class_name, format_source, in_docstring
from loadgen.shared.text import plain_line

SAMPLES = 100
MOST_ROWS = 240
MOST_NAMED = 12
SECONDS = {"hour": 3600.0, "day": 86400.0}
Span = Literal["hour", "day", "whole"]


@dataclass(frozen=True)
class Profile:
    """Rows of (seconds, visits a second), and the part of the log that they come from."""

    rows: list[tuple[float, float]]
    begins: float
    seconds: float

    @property
    def visits(self) -> float:
        """How many visits the rows come to."""
        rate, steps = RecordedRate(self.rows), 10 * len(self.rows)
        step = self.seconds / steps
        return sum((rate.at((one + 0.5) * step) or 0) * step for one in range(steps))


def sample(counts: Mapping[float, int] | Mapping[int, int]) -> list[float]:
    """Return a hundred values that stand for all: the middles of equal shares, in order."""
    ordered = sorted(counts.items())
    total = sum(count for _, count in ordered)
    if not total:
        return [0.0]
    taken: list[float] = []
    place, seen = 0, ordered[0][1]
    for number in range(SAMPLES):
        rank = (number + 0.5) / SAMPLES * total
        while seen < rank:
            place += 1
            seen += ordered[place][1]
        taken.append(ordered[place][0])
    return taken


def profile(traffic: Traffic, span: Span, factor: float, visit_length: float) -> Profile:
    """Return when visits arrive: hits over time, divided by the hits a visit, times the factor."""
    begins, ends = _window(traffic, span)
    width = max(traffic.step, math.ceil((ends - begins) / MOST_ROWS / traffic.step) * traffic.step)
    counts: Counter[int] = Counter()
    for place, count in traffic.bins.items():
        middle = (place + 0.5) * traffic.step
        if begins <= middle < ends or begins <= place * traffic.step < ends:
            counts[int((max(middle, begins) - begins) // width)] += count
    rows = []
    for number in range(math.ceil((ends - begins) / width)):
        start, end = number * width, min((number + 1) * width, ends - begins)
        rate = counts[number] / (end - start) / visit_length * factor
        rows.append(((start + end) / 2, rate))
    seconds = ends - begins
    rows = [(0.0, rows[0][1]), *rows, (seconds, rows[-1][1])]
    # The rate changes linearly from row to row, so where it changes fast the sum differs.
    drawn = sum((end - start) * (a + b) / 2 for (start, a), (end, b) in pairwise(rows))
    wanted = counts.total() / visit_length * factor
    rows = [(time, rate * wanted / drawn if drawn else rate) for time, rate in rows]
    return Profile([(round(time, 3), round(rate, 6)) for time, rate in rows], begins, seconds)


def _window(traffic: Traffic, span: Span) -> tuple[float, float]:
    """Return the part of the log that is replayed: the busiest hour or day, or all of it."""
    first = math.floor(traffic.first / traffic.step) * traffic.step
    end = (math.floor(traffic.last / traffic.step) + 1) * traffic.step
    length = SECONDS.get(span, end - first)
    if end - first <= length:
        return first, end
    places = sorted(traffic.bins)
    best, most, total, left = first, 0, 0, 0
    for place in places:
        total += traffic.bins[place]
        while (place - places[left] + 1) * traffic.step > length:
            total -= traffic.bins[places[left]]
            left += 1
        if total > most:
            most, best = total, places[left] * traffic.step
    best = min(best, end - length)
    return best, best + length


def locustfile(traffic: Traffic, output: Path, host: str | None) -> str:
    """Return the locustfile's source."""
    routes = sorted(traffic.routes.items(), key=lambda one: -one[1].seen)
    total = traffic.replayed
    values = {
        "hits": f"{traffic.hits:,}",
        "replayed": f"{total:,}",
        "left_out": [f"- {in_docstring(plain_line(line), 90)}" for line in left_out(traffic)],
        "class_name": class_name(output.stem, {"ArrivalShape", "Route", "VisitUser", "Path"}),
        "host": host,
        "routes": [
            {
                "method": method,
                "name": name,
                "weight": float(f"{examples.seen / total:.6g}"),
                "paths": tuple(sorted(examples.paths)),
            }
            for (method, name), examples in routes
        ],
        "lengths": tuple(int(one) for one in sample(traffic.lengths)),
        "pauses": tuple(float(one) for one in sample(traffic.pauses)),
    }
    loader = FileSystemLoader(Path(__file__).parent)
    environment = Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True)  # noqa: S701 - it makes Python, whose texts are written by repr
    return format_source(environment.get_template("locustfile.jinja2").render(values))


def left_out(traffic: Traffic) -> list[str]:
    """Return what of the log isn't replayed, the most frequent first."""
    named = traffic.left_out.most_common(MOST_NAMED)
    lines = [f"{name}: {count:,} ({count / traffic.hits:.1%})" for name, count in named]
    rest = traffic.left_out.total() - sum(count for _, count in named)
    return [*lines, f"others: {rest:,}"] if rest else lines


def experiment(output: Path, made: Profile, host: str | None, source: str) -> str:
    """Return the experiment's YAML."""
    fields: dict[str, object] = {
        "description": f"Visits as in {source}, made by loadgen mix",
        "locustfile": str(output),
        **({"host": host} if host else {}),
        "run_time": f"{math.ceil(made.seconds)}s",
        "slos": [{"measure": "failure_ratio", "at_most": 0.01, "each_name": True}],
    }
    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)


def rows(made: Profile) -> str:
    """Return the profile as CSV."""
    return "time,rps\n" + "".join(f"{time:g},{rate:g}\n" for time, rate in made.rows)
