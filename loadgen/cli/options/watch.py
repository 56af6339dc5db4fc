"""Verbs that show a running test: live in the terminal, or in Prometheus and Grafana."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from loadgen.cli.options.inventory import add_inventory
from loadgen.cli.options.results_directory import add_results
from loadgen.cli.verb import Late, Verb, VerbParser, positive, whole_number
from loadgen.shared.project import own_directory
from loadgen.watch.endpoints import DEFAULT_GRAFANA, SCRAPE_SECONDS, Ports, add_exporter_options

if TYPE_CHECKING:
    from loadgen.watch import monitoring, watch
else:
    monitoring = Late("loadgen.watch.monitoring")
    watch = Late("loadgen.watch.watch")

PROGRAMS = {
    "prometheus": "Prometheus",
    "grafana": "Grafana",
    "exporter": "a run's exporter",
    "archive": "the exporter that serves earlier runs",
    "node": "the node exporter",
}


def _add_watch_options(verb: VerbParser) -> None:
    add_exporter_options(verb)
    add = verb.add_argument
    add_inventory(verb, "watch the fleet of this inventory, over SSH")
    add(
        "--grafana",
        default=DEFAULT_GRAFANA,
        help=f"the URL of Grafana (default: {DEFAULT_GRAFANA})",
    )
    add(
        "--terminal",
        action="store_true",
        help="show the test in this terminal even if Grafana answers",
    )
    add(
        "--svg",
        type=Path,
        help="after --seconds, write a picture of the view to this SVG file, and end",
    )
    add(
        "--seconds",
        type=positive,
        default=20.0,
        help="how many seconds to watch before the picture for --svg is written (default: 20)",
    )


def _add_monitoring_options(verb: VerbParser) -> None:
    for field in fields(Ports):
        words = f"the port of {PROGRAMS[field.name]} on loopback (default: {field.default})"
        verb.add_argument(
            f"--{field.name}-port", type=whole_number(1, 65535), default=field.default, help=words
        )
    verb.add_argument(
        "--directory",
        type=Path,
        default=own_directory() / ".monitoring",
        help="the directory in which Prometheus and Grafana keep their data (default: .monitoring)",
    )
    add_results(verb, own_directory() / "results")
    verb.add_argument(
        "--scrape-interval",
        type=int,
        default=SCRAPE_SECONDS,
        metavar="SECONDS",
        help=f"the seconds between two scrapes (default: {SCRAPE_SECONDS})",
    )
    verb.add_argument(
        "--target-scrape",
        action="append",
        default=[],
        metavar="HOST:PORT",
        help=(
            "also scrape this exporter at the target, such as a node_exporter; the "
            "option may be given several times"
        ),
    )


VERBS = {
    "watch": Verb(
        _add_watch_options,
        watch.watch,
        ("loadgen watch", "loadgen watch --inventory inventory/mine --terminal"),
    ),
    "monitoring": Verb(
        _add_monitoring_options, monitoring.monitor, ("loadgen monitoring --prometheus-port 9099",)
    ),
}
