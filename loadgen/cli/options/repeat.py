"""Verbs that repeat a run and hand one on: what can be typed."""

from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.cli.options.inventory import add_inventory
from loadgen.cli.verb import Late, Verb, VerbParser

if TYPE_CHECKING:
    from loadgen.cli import repeat
else:
    repeat = Late("loadgen.cli.repeat")


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
    "rerun": Verb(_add_rerun_options, repeat.rerun, ("loadgen rerun latest",)),
    "export": Verb(
        _add_export_options,
        repeat.export,
        ("loadgen export latest --output run.zip",),
    ),
    "import": Verb(_add_import_options, repeat.import_, ("loadgen import run.zip",)),
}
