"""Verbs with which another person repeats a run: rerun, export, import."""

import argparse
import os
import shlex
from pathlib import Path

from loadgen.cli import results as archive_verbs
from loadgen.cli.inventory import add_inventory
from loadgen.cli.run import run_once
from loadgen.cli.verb import Verb, VerbParser
from loadgen.results import bundle, catalogue
from loadgen.results.describe import describe
from loadgen.results.kept import kept_fields
from loadgen.results.page.index_page import renew_index
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
    print(describe(summary, after))
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


def _add_rerun_options(verb: VerbParser) -> None:
    verb.add_argument("run", metavar="RUN", help="a run: an id, a path, latest or baseline")
    add_inventory(verb, "run on this fleet instead of this machine")
    verb.add_argument(
        "--results", type=Path, default=Path("results"), help="directory of all runs (results)"
    )
    verb.add_argument("--tolerance", type=float, default=0.05, help="change that counts (0.05)")
    verb.add_argument("--quiet", "-q", action="store_true", help="print the verdict only")


def _add_export_options(verb: VerbParser) -> None:
    verb.add_argument("run", metavar="RUN", help="a run: an id, a path, latest or baseline")
    verb.add_argument("--output", type=Path, help="the archive's file (RUN.zip)")
    verb.add_argument(
        "--results", type=Path, default=Path("results"), help="directory of all runs (results)"
    )


def _add_import_options(verb: VerbParser) -> None:
    verb.add_argument("file", type=Path, metavar="FILE", help="what loadgen export wrote")
    verb.add_argument(
        "--results", type=Path, default=Path("results"), help="directory of all runs (results)"
    )


VERBS = {
    "rerun": Verb(_add_rerun_options, rerun, ("loadgen rerun latest",)),
    "export": Verb(_add_export_options, export, ("loadgen export latest --output run.zip",)),
    "import": Verb(_add_import_options, import_, ("loadgen import run.zip",)),
}
