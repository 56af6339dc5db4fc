"""The option `--results`, which most verbs have."""

from pathlib import Path

from loadgen.cli.verb import VerbParser


def add_results(verb: VerbParser, default: Path = Path("results")) -> None:
    """Add `--results`, the directory of all runs."""
    words = "the directory of all runs (default: results)"
    verb.add_argument("--results", type=Path, default=default, help=words)
