"""Where what shows a run answers, as it can be typed; light, so that help is quick."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from loadgen.specification.ports import EXPORTER_PORT

DEFAULT_URL = f"http://127.0.0.1:{EXPORTER_PORT}/metrics"
DEFAULT_GRAFANA = "http://127.0.0.1:3000"
SCRAPE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports on loopback."""

    prometheus: int = 9090
    grafana: int = 3000
    exporter: int = EXPORTER_PORT
    archive: int = 9647
    node: int = 9100


def add_exporter_options(parser: argparse.ArgumentParser) -> None:
    """Add what says where the exporter is, and how it knows who asks."""
    parser.add_argument(
        "--url", default=DEFAULT_URL, help=f"the exporter's address (default: {DEFAULT_URL})"
    )
    parser.add_argument(
        "--ca", type=Path, help="a PEM file with the CA of the exporter's certificate"
    )
    parser.add_argument(
        "--certificate",
        type=Path,
        help="a PEM file with the client certificate to show the exporter",
    )
    parser.add_argument(
        "--key", type=Path, help="a PEM file with the key of the client certificate"
    )
