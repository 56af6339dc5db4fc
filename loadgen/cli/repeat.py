"""Verbs with which another person repeats a run: rerun, export, import."""

import argparse
import os
import shlex

from loadgen.cli import results as archive_verbs
from loadgen.cli.run import run_once
from loadgen.results import bundle, catalogue
from loadgen.results.describe import describe
from loadgen.results.kept import kept_fields
from loadgen.results.page.index_page import renew_index
from loadgen.shared.command import as_typed
from loadgen.shared.interruption import Interruption
from loadgen.shared.run_ids import make_run_id, run_directory
from loadgen.shared.text import plain
from loadgen.specification.experiment import make_experiment


def rerun(options: argparse.Namespace) -> int:
    """Carry out `loadgen rerun`: repeat a run from what it kept, and compare both."""
    before = catalogue.find_run(options.results, options.run)
    experiment = make_experiment(kept_fields(before))
    for command in (*experiment.before, *experiment.after):
        print(plain(f"The run has the command: {shlex.join(command)}"))
    interruption = Interruption()
    with interruption.listen():
        run_id = make_run_id(experiment.locustfiles[0])
        specification = experiment.specification({})
        summary = run_once(specification, options, interruption, run_id)
    after = run_directory(options.results.absolute(), run_id)
    print(as_typed(describe(summary, after)))
    if summary.verdict not in ("passed", "failed"):
        return summary.exit_code
    print()
    return archive_verbs.compare(
        argparse.Namespace(
            results=options.results,
            a=str(before),
            b=str(after),
            tolerance=options.tolerance,
            confidence=0.99,
            allow_invalid=False,
            output=None,
        )
    )


def export(options: argparse.Namespace) -> int:
    """Carry out `loadgen export`: one archive of a run, without secrets."""
    run = catalogue.find_run(options.results, options.run)
    catalogue.summary_of(run)
    output = options.output or bundle.default_output(run)
    left_out = bundle.export_run(run, output, os.environ)
    if left_out:
        print(plain(f"left out, as they may hold secrets: {', '.join(left_out)}"))
    print(output)
    return 0


def import_(options: argparse.Namespace) -> int:
    """Carry out `loadgen import`: an exported run joins the archive."""
    directory = bundle.import_run(options.file, options.results)
    renew_index(options.results)
    print(
        f"{os.path.relpath(directory)}; repeat it with: loadgen rerun {directory.name}, which runs "
        "its scenario as you: read it before"
    )
    return 0
