"""Verbs on what runs left behind: list, compare, evaluate, name a baseline, prune."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from operations import collection, probe_verb, sweep
from operations.errors import UsageError
from operations.plain import plain
from operations.recordings import command as recording
from operations.series import Series, search_exit_code, sweep_exit_code
from operations.slo import Slo
from operations.specification import parse_duration
from operations.summary import EXIT_CODES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from operations.evaluators.pictures import Format


def finish_series(series: Series) -> int:
    """Carry out a series, draw its picture, print what it came to; return the exit code."""
    # Drawing takes a moment to import, and most runs are no series.
    from operations.evaluators import series_pictures  # noqa: PLC0415

    settings = series.experiment.search
    if settings is not None:
        found = series.search(settings)
        limits = _limits(series.experiment.slos)
        _save(series_pictures.draw_search(found, limits), series.directory / "capacity")
        print(f"\nCapacity: {found.sentence}")
        if found.published:
            ended, trials = found.published.first_broke, len(found.published.trials)
            print(f"The published rule, on the same target: ended at {ended} ({trials} trials)")
        print(f"  {os.path.relpath(series.directory)}/capacity.json")
        return search_exit_code(found)
    rows = series.sweep()
    for field in series.experiment.sweep:
        picture = series_pictures.draw_sweep(rows, field)
        _save(picture, series.directory / f"sweep-{field}")
    print(f"\n{sweep.describe(rows)}\n  {os.path.relpath(series.directory)}/table.csv")
    return sweep_exit_code(rows)


def _limits(slos: Sequence[Slo]) -> list[float]:
    return [slo.limit for slo in slos if slo.unit == "s"]


def _save(figure: "Figure", stem: Path, formats: "Sequence[Format] | None" = None) -> None:
    from operations.evaluators import pictures  # noqa: PLC0415  as above

    pictures.save_picture(figure, stem, formats or pictures.FORMATS)


def results(options: argparse.Namespace) -> int:
    """Carry out `loadgen results`: list runs, newest last; or name the baseline."""
    if options.baseline:
        run = collection.find_run(options.results, options.baseline)
        collection.name_baseline(options.results, run)
        print(f"baseline: {run.name}")
        return 0
    print(collection.describe(collection.list_runs(options.results), options.results))
    return 0


def compare(options: argparse.Namespace) -> int:
    """Carry out `loadgen compare`: exit 1 on a regression, 3 when a run can't be trusted."""
    from operations import compare as comparing  # noqa: PLC0415  numpy takes a moment to import

    sides = [collection.find_runs(options.results, text) for text in (options.a, options.b)]
    untrusted = [
        f"{run.name} is {summary.verdict}"
        for side in sides
        for run in side
        if (summary := collection.summary_of(run)).verdict not in ("passed", "failed")
    ]
    if untrusted and not options.allow_invalid:
        print(
            f"loadgen: {', '.join(untrusted)}: a comparison with it says nothing; repeat the run, "
            "or give --allow-invalid",
            file=sys.stderr,
        )
        return EXIT_CODES["invalid"]
    settings = comparing.CompareSettings(
        confidence=options.confidence, tolerance_ratio=options.tolerance
    )
    entries = [[collection.record_of(run).entries for run in side] for side in sides]
    differences = comparing.compare(entries[0], entries[1], settings)
    print(plain(comparing.describe(differences)))
    if options.output:
        found = [difference.model_dump() for difference in differences]
        options.output.write_text(json.dumps(found, indent=2) + "\n")
    return EXIT_CODES["failed"] if comparing.regressions(differences) else 0


def prune(options: argparse.Namespace) -> int:
    """Carry out `loadgen prune`: remove old runs after asking."""
    older = None if options.older_than is None else _seconds(options.older_than)
    runs = collection.prunable(options.results, options.keep, older)
    if not runs:
        print("nothing to remove")
        return 0
    print("\n".join(run.name for run in runs))
    if not options.yes and not _confirmed(f"Remove these {len(runs)} from {options.results}?"):
        print("nothing was removed")
        return 0
    for run in runs:
        collection.remove(run)
    print(f"removed {len(runs)}")
    return 0


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Nobody is there to answer: give --yes")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _seconds(text: str) -> float:
    days = text.removesuffix("d")
    if text.endswith("d") and days.isdigit():
        return 86400.0 * int(days)
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--older-than {text!r} can't be used: {error}, or 30d") from error


def evaluate(options: argparse.Namespace) -> int:
    """Carry out `loadgen evaluate`: pictures and tables from a run's request log."""
    from operations.evaluators import evaluation  # noqa: PLC0415  drawing takes a moment to import

    run = collection.find_run(options.results, options.run)
    settings = evaluation.EvaluationSettings(
        limits=options.limits or _limits_of(run),
        fault_times=options.fault_times,
        interval_seconds=options.interval,
        speed=options.speed,
        formats=options.formats,
    )
    print(evaluation.evaluate(run, settings))
    return 0


def _limits_of(run: Path) -> tuple[float, ...]:
    return tuple(s.limit for s in collection.summary_of(run).slos if s.unit == "s")


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


def add_verbs(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verbs of this module to the command's parser."""

    def add(
        name: str, words: str, function: Callable[[argparse.Namespace], int]
    ) -> argparse.ArgumentParser:
        verb = verbs.add_parser(name, help=words, description=f"{words.capitalize()}.")
        verb.add_argument("--results", type=Path, default=Path("results"), help="(results)")
        verb.set_defaults(verb=function)
        return verb

    verb = verbs.add_parser("record", help="make a locustfile that runs from a browser's HAR file")
    recording.add_options(verb)
    verb = verbs.add_parser("probe", help="walk one iteration of a scenario, step by step")
    probe_verb.add_options(verb)
    verb = add("results", "list runs, or name the baseline", results)
    verb.add_argument("--baseline", metavar="RUN", help="let `baseline` mean this run")
    verb = add("compare", "compare two runs by name; exit 1 on a regression", compare)
    for side in ("a", "b"):
        words = "run, or runs with commas, or a series: an id, a path, latest or baseline"
        verb.add_argument(side, metavar=side.upper(), help=words)
    verb.add_argument("--tolerance", type=_ratio, default=0.05, help="change that counts (0.05)")
    verb.add_argument("--confidence", type=_ratio, default=0.99, help="of each interval (0.99)")
    verb.add_argument("--allow-invalid", action="store_true", help="compare runs that are invalid")
    verb.add_argument("--output", type=Path, help="write the differences as JSON")
    verb = add("prune", "remove old runs, after asking", prune)
    verb.add_argument("--keep", type=int, default=10, help="how many of the newest to keep (10)")
    verb.add_argument("--older-than", help="only runs older than this: 30d, 12h")
    verb.add_argument("--yes", action="store_true", help="don't ask")
    verb = add("evaluate", "draw pictures and tables from a run's request log", evaluate)
    verb.add_argument("run", nargs="?", default="latest", help="id, path, latest or baseline")
    verb.add_argument("--limits", type=_numbers, default=(), help="lines at these seconds: 10,30")
    verb.add_argument("--fault-times", type=_numbers, default=(), help="known faults: 300,360 (s)")
    verb.add_argument("--interval", type=float, help="seconds between one user's requests")
    verb.add_argument("--speed", type=float, default=1.0, help="of a time-scaled alarm study (1)")
    verb.add_argument("--formats", type=_formats, default=("svg", "png", "pdf"), help="svg,png,pdf")
