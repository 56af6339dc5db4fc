"""Verbs on the archive of runs: what can be typed."""

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.cli.options.results_directory import add_results
from loadgen.cli.verb import Late, Verb, VerbParser, positive

if TYPE_CHECKING:
    from loadgen.cli import results
else:
    results = Late("loadgen.cli.results")


def _numbers(text: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(",") if part)
    except ValueError:
        values = (math.nan,)
    if not all(map(math.isfinite, values)):
        raise _unusable(text, "numbers separated by commas, such as 10,30")
    return values


def _unusable(text: str, rule: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(f"{text!r} can't be used; give {rule}")


def _formats(text: str) -> tuple[str, ...]:
    formats = tuple(part.strip() for part in text.split(","))
    if not set(formats) <= {"svg", "png", "pdf"}:
        raise _unusable(text, "one or more of svg, png and pdf, separated by commas")
    return formats


def ratio(text: str) -> float:
    """Read a ratio from 0 to below 1."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1:
        raise _unusable(text, "a number from 0 to below 1, such as 0.05")
    return value


def _add_results_options(verb: VerbParser) -> None:
    add_results(verb)
    verb.add_argument(
        "--baseline",
        metavar="RUN",
        help="make this run the baseline, with which later runs are compared",
    )
    verb.add_argument(
        "--page", action="store_true", help="rewrite index.html, the page that shows all runs"
    )
    verb.add_argument(
        "--open",
        action="store_true",
        help="rewrite index.html, the page that shows all runs, and open it in a browser",
    )


def _add_compare_options(verb: VerbParser) -> None:
    add_results(verb)
    for side in ("a", "b"):
        words = "a run, runs separated by commas, or a series: its id, its path, latest or baseline"
        verb.add_argument(side, metavar=side.upper(), help=words)
    verb.add_argument(
        "--tolerance",
        type=ratio,
        default=0.05,
        help="the relative change below which a difference is ignored (default: 0.05)",
    )
    verb.add_argument(
        "--confidence",
        type=ratio,
        default=0.99,
        help="the confidence of each interval (default: 0.99)",
    )
    verb.add_argument(
        "--allow-invalid",
        action="store_true",
        help="compare runs even if their measurements are invalid",
    )
    verb.add_argument(
        "--output", type=Path, help="a file to which the differences are written as JSON"
    )


def _add_prune_options(verb: VerbParser) -> None:
    add_results(verb)
    verb.add_argument(
        "--keep", type=int, default=10, help="how many of the newest runs to keep (default: 10)"
    )
    verb.add_argument(
        "--older-than", help="remove only runs that are older than this, such as 30d or 12h"
    )
    verb.add_argument("--yes", action="store_true", help="remove the runs without asking")


def _add_evaluate_options(verb: VerbParser) -> None:
    add_results(verb)
    words = (
        "a run (its id, its path, latest or baseline), or log files in the alarm "
        "study's format (default: latest)"
    )
    verb.add_argument("runs", nargs="*", metavar="RUN", help=words)
    verb.add_argument(
        "--output",
        type=Path,
        help="the directory for the pictures (default: evaluation/ in the run's directory)",
    )
    verb.add_argument(
        "--beside",
        type=Path,
        help="the directory of one of your capacity searches, to draw it in the same chart as "
        "the search that the log file records",
    )
    verb.add_argument(
        "--limits",
        type=_numbers,
        default=(),
        help="draw a line at each of these response times, in seconds, such as 10,30",
    )
    verb.add_argument(
        "--fault-times",
        type=_numbers,
        default=(),
        help="mark a fault at each of these times, in seconds from the start, such as 300,360",
    )
    verb.add_argument(
        "--interval",
        type=positive,
        help="correct the response times for coordinated omission, where each user was to send a "
        "request every so many seconds",
    )
    verb.add_argument(
        "--speed",
        type=positive,
        default=1.0,
        help="how many times faster than real time the alarm study ran (default: 1)",
    )
    verb.add_argument(
        "--formats",
        type=_formats,
        default=("svg", "png", "pdf"),
        help="the formats of the pictures (default: svg,png,pdf)",
    )


VERBS = {
    "results": Verb(
        _add_results_options,
        results.results,
        ("loadgen results", "loadgen results --open", "loadgen results --baseline latest"),
        waits_for="the runs to be read",
    ),
    "compare": Verb(
        _add_compare_options,
        results.compare,
        (
            "loadgen compare baseline latest",
            "loadgen compare run1,run2,run3 latest --tolerance 0.1",
        ),
        waits_for="the runs to be read",
    ),
    "prune": Verb(
        _add_prune_options,
        results.prune,
        ("loadgen prune --keep 20 --older-than 30d",),
    ),
    "evaluate": Verb(
        _add_evaluate_options,
        results.evaluate,
        (
            "loadgen evaluate",
            "loadgen evaluate latest --limits 10,30 --formats svg",
            "loadgen evaluate tester1.log tester2.log --output pictures",
        ),
        waits_for="the requests to be read and drawn",
    ),
}
