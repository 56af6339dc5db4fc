"""Verbs that repeat a run and hand one on: what can be typed."""

from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.cli.options.inventory import add_inventory
from loadgen.cli.options.results import ratio
from loadgen.cli.options.results_directory import add_results
from loadgen.cli.verb import Late, Verb, VerbParser

if TYPE_CHECKING:
    from loadgen.cli import repeat
else:
    repeat = Late("loadgen.cli.repeat")


def _add_rerun_options(verb: VerbParser) -> None:
    verb.add_argument("run", metavar="RUN", help="a run: its id, its path, latest or baseline")
    add_inventory(verb, "run on this fleet instead of this machine")
    add_results(verb)
    verb.add_argument(
        "--tolerance",
        type=ratio,
        default=0.05,
        help="the relative change below which a difference is ignored (default: 0.05)",
    )
    verb.add_argument("--quiet", "-q", action="store_true", help="print only the verdict")


def _add_export_options(verb: VerbParser) -> None:
    verb.add_argument("run", metavar="RUN", help="a run: its id, its path, latest or baseline")
    verb.add_argument(
        "--output", type=Path, help="the file to write (default: the run's id and .zip)"
    )
    add_results(verb)


def _add_import_options(verb: VerbParser) -> None:
    verb.add_argument("file", type=Path, metavar="FILE", help="a file that `loadgen export` wrote")
    add_results(verb)


VERBS = {
    "rerun": Verb(_add_rerun_options, repeat.rerun, ("loadgen rerun latest",)),
    "export": Verb(
        _add_export_options,
        repeat.export,
        ("loadgen export latest --output run.zip",),
        waits_for="the run to be packed",
    ),
    "import": Verb(
        _add_import_options,
        repeat.import_,
        ("loadgen import run.zip",),
        waits_for="the run to be unpacked",
    ),
}
