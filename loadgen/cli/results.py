"""Verbs on what runs left behind: list, compare, evaluate, name a baseline, prune."""

import argparse
import json
import sys
import webbrowser
from pathlib import Path

from loadgen.judging.verdict import EXIT_CODES
from loadgen.results import catalogue
from loadgen.results.archive import LATEST
from loadgen.results.comparison.setup_differences import setup_differences
from loadgen.results.foreign import kind_of
from loadgen.results.page.index_page import renew_index
from loadgen.runs.series import load_capacity
from loadgen.shared.errors import UsageError
from loadgen.shared.text import plain
from loadgen.specification.durations import parse_duration


def results(options: argparse.Namespace) -> int:
    """Carry out `loadgen results`: list runs, newest last; or name the baseline."""
    if options.results.exists() and not options.results.is_dir():
        raise UsageError(f"--results {options.results} is a file: give the directory of the runs")
    if options.baseline:
        run = catalogue.find_run(options.results, options.baseline)
        catalogue.name_baseline(options.results, run)
        print(f"baseline: {run.name}")
        return 0
    if options.page or options.open:
        page = renew_index(options.results)
        print(page)
        if options.open:
            webbrowser.open(page.resolve().as_uri())
        return 0
    print(plain(catalogue.describe(catalogue.list_runs(options.results), options.results)))
    return 0


def compare(options: argparse.Namespace) -> int:
    """Carry out `loadgen compare`: exit 1 on a regression, 3 when a run can't be trusted."""
    from loadgen.results.comparison import compare as comparing  # noqa: PLC0415  numpy takes a moment to import

    sides = [catalogue.find_runs(options.results, text) for text in (options.a, options.b)]
    summaries = [[catalogue.summary_of(run) for run in side] for side in sides]
    untrusted = [
        f"{run.name} is {summary.verdict}"
        for side, found in zip(sides, summaries, strict=True)
        for run, summary in zip(side, found, strict=True)
        if summary.verdict not in ("passed", "failed")
    ]
    if untrusted and not options.allow_invalid:
        print(
            f"loadgen: {', '.join(untrusted)}, so a comparison would be meaningless. "
            f"Repeat the run, or compare anyway with --allow-invalid",
            file=sys.stderr,
        )
        return EXIT_CODES["invalid"]
    settings = comparing.CompareSettings(
        confidence=options.confidence, tolerance_ratio=options.tolerance
    )
    entries = [[catalogue.record_of(run).entries for run in side] for side in sides]
    differences = comparing.compare(entries[0], entries[1], settings)
    if setup := setup_differences(summaries[0], summaries[1]):
        print(
            plain(
                "\n".join(
                    [
                        "The two sides were run with different specifications:",
                        *map("  {}".format, setup),
                    ]
                )
            )
        )
    print(comparing.scope(len(sides[0]), len(sides[1]), options.confidence))
    print(plain(comparing.describe(differences)))
    if options.output:
        found = [difference.model_dump() for difference in differences]
        options.output.write_text(json.dumps(found, indent=2) + "\n")
    if not any(difference.change is not None for difference in differences):
        return EXIT_CODES["invalid"]
    return EXIT_CODES["failed"] if comparing.regressions(differences) else 0


def prune(options: argparse.Namespace) -> int:
    """Carry out `loadgen prune`: remove old runs after asking."""
    older = None if options.older_than is None else _seconds(options.older_than)
    runs = catalogue.prunable(options.results, options.keep, older)
    if not runs:
        print("nothing to remove")
        return 0
    print("\n".join(run.name for run in runs))
    if not options.yes and not _confirmed(f"Remove these {len(runs)} from {options.results}?"):
        print("nothing was removed")
        return 0
    for run in runs:
        catalogue.remove(run)
    print(f"removed {len(runs)}")
    return 0


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError(
            f"{question} The input is not a terminal, so nobody can answer: give --yes"
        )
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")


def _seconds(text: str) -> float:
    days = text.removesuffix("d")
    if text.endswith("d") and days.isdigit():
        return 86400.0 * int(days)
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(
            f"--older-than {text!r} can't be used: {error}; a number of days such as 30d is also "
            "accepted"
        ) from error


def evaluate(options: argparse.Namespace) -> int:
    """Carry out `loadgen evaluate`: pictures and tables from a run's log, or from testers' logs."""
    # Drawing takes a moment to import.
    from loadgen.results.evaluation import evaluation  # noqa: PLC0415
    from loadgen.studies.alarm.figures import evaluate_log  # noqa: PLC0415

    files = [Path(name) for name in options.runs if Path(name).is_file()]
    if files or any(name.endswith(".log") for name in options.runs):
        return _evaluate_files([Path(name) for name in options.runs], options)
    if len(options.runs) > 1:
        raise UsageError(
            "give one run, or log files in the alarm study's format; to compare two "
            "runs, use loadgen compare"
        )
    run = catalogue.find_run(options.results, options.runs[0] if options.runs else LATEST)
    settings = evaluation.EvaluationSettings(
        limits=options.limits or _limits_of(run),
        fault_times=options.fault_times,
        interval_seconds=options.interval,
        speed=options.speed,
        formats=options.formats,
    )
    print(plain(evaluation.evaluate(run, settings, [evaluate_log], options.output)))
    return 0


def _evaluate_files(files: list[Path], options: argparse.Namespace) -> int:
    """Evaluate logs of the alarm study's testers, or of its executor's search."""
    from loadgen.results.evaluation import evaluation, pictures  # noqa: PLC0415  as above
    from loadgen.results.tester_log import (  # noqa: PLC0415
        read_search,
        read_tester_logs,
    )
    from loadgen.studies.alarm import figures  # noqa: PLC0415

    for file in files:
        if kind := kind_of(file):
            raise UsageError(f"{file} is {kind}")
    directory = options.output or files[0].with_name(f"{files[0].stem}-evaluation")
    steps = [step for file in files for step in read_search(file)]
    if steps:
        found = load_capacity(options.beside) if options.beside else None
        pictures.save_picture(
            figures.draw_search(steps, found), directory / "search", options.formats
        )
        print(f"{figures.describe_search(steps)}\npicture: {directory}")
        return 0
    settings = evaluation.EvaluationSettings(
        limits=options.limits or (figures.AVERAGE_SECONDS_MAX, figures.MAXIMUM_SECONDS_MAX),
        fault_times=options.fault_times,
        speed=options.speed,
        formats=options.formats,
    )
    log = read_tester_logs(files)
    print(plain(evaluation.evaluate_tester_log(log, directory, settings, [figures.evaluate_log])))
    return 0


def _limits_of(run: Path) -> tuple[float, ...]:
    return tuple(s.limit for s in catalogue.summary_of(run).slos if s.unit == "s")
