"""Verbs on the archive of runs: what can be typed."""

from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.cli.verb import Late, Verb, VerbParser

if TYPE_CHECKING:
    from loadgen.cli import results
else:
    results = Late("loadgen.cli.results")


def _numbers(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(",") if part)


def _formats(text: str) -> tuple[str, ...]:
    formats = tuple(part.strip() for part in text.split(","))
    if not set(formats) <= {"svg", "png", "pdf"}:
        raise ValueError(text)
    return formats


def _ratio(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:
        raise ValueError(text)
    return value


def _add_archive(verb: VerbParser) -> None:
    verb.add_argument(
        "--results", type=Path, default=Path("results"), help="directory of all runs (results)"
    )


def _add_results_options(verb: VerbParser) -> None:
    _add_archive(verb)
    verb.add_argument("--baseline", metavar="RUN", help="let `baseline` mean this run")
    verb.add_argument("--page", action="store_true", help="renew the archive's index.html")
    verb.add_argument("--open", action="store_true", help="renew it, and open it in a browser")


def _add_compare_options(verb: VerbParser) -> None:
    _add_archive(verb)
    for side in ("a", "b"):
        words = "run, or runs with commas, or a series: an id, a path, latest or baseline"
        verb.add_argument(side, metavar=side.upper(), help=words)
    verb.add_argument("--tolerance", type=_ratio, default=0.05, help="change that counts (0.05)")
    verb.add_argument("--confidence", type=_ratio, default=0.99, help="of each interval (0.99)")
    verb.add_argument("--allow-invalid", action="store_true", help="compare runs that are invalid")
    verb.add_argument("--output", type=Path, help="write the differences as JSON")


def _add_prune_options(verb: VerbParser) -> None:
    _add_archive(verb)
    verb.add_argument("--keep", type=int, default=10, help="how many of the newest to keep (10)")
    verb.add_argument("--older-than", help="only runs older than this: 30d, 12h")
    verb.add_argument("--yes", action="store_true", help="don't ask")


def _add_evaluate_options(verb: VerbParser) -> None:
    _add_archive(verb)
    words = "a run: an id, a path, latest or baseline; or log files of the alarm study's testers"
    verb.add_argument("runs", nargs="*", metavar="RUN", help=words)
    verb.add_argument("--output", type=Path, help="where pictures of log files go")
    verb.add_argument("--beside", type=Path, help="a capacity search to draw beside theirs")
    verb.add_argument("--limits", type=_numbers, default=(), help="lines at these seconds: 10,30")
    verb.add_argument("--fault-times", type=_numbers, default=(), help="known faults: 300,360 (s)")
    verb.add_argument("--interval", type=float, help="seconds between one user's requests")
    verb.add_argument("--speed", type=float, default=1.0, help="of a time-scaled alarm study (1)")
    verb.add_argument("--formats", type=_formats, default=("svg", "png", "pdf"), help="svg,png,pdf")


VERBS = {
    "results": Verb(
        _add_results_options,
        results.results,
        ("loadgen results", "loadgen results --open", "loadgen results --baseline latest"),
    ),
    "compare": Verb(
        _add_compare_options,
        results.compare,
        (
            "loadgen compare baseline latest",
            "loadgen compare run1,run2,run3 latest --tolerance 0.1",
        ),
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
    ),
}
