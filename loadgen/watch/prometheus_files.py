"""What a Prometheus on this machine reads: its configuration, rules and alerts."""

import socket
from collections.abc import Sequence
from pathlib import Path

import yaml

from loadgen.shared.errors import UsageError
from loadgen.shared.ports import LOOPBACK
from loadgen.watch.endpoints import SCRAPE_SECONDS, Ports

FLEET = "local"
"""The label of what runs here, beside fleets in the same Prometheus."""
SCRAPE_SECONDS_MAX = 60
WINDOW = "[1m]"
"""The window of the rules as they are kept; where scrapes are far apart it holds four."""
RUNBOOK = "runbook_url: exporter/runbook.md"


def configuration(
    ports: Ports, rules: Path, scrape_seconds: int = SCRAPE_SECONDS, targets: Sequence[str] = ()
) -> str:
    """Return prometheus.yml; `rules` is a directory, `targets` are exporters beside the target."""
    jobs = {"locust": ports.exporter, "loadgen-results": ports.archive, "node": ports.node}
    here = {"fleet": FLEET, "host": socket.gethostname()}
    scrapes = [
        {"job_name": job, "static_configs": [{"targets": [f"{LOOPBACK}:{port}"], "labels": here}]}
        for job, port in jobs.items()
    ]
    if targets:
        scrapes.append({"job_name": "target", "static_configs": [_target(one) for one in targets]})
    every = f"{scrape_seconds}s"
    content = {
        "global": {
            "scrape_interval": every,
            "scrape_timeout": every,
            "evaluation_interval": every,
        },
        "rule_files": [str(rules / "*.yml")],
        "scrape_configs": scrapes,
    }
    return yaml.safe_dump(content, sort_keys=False)


def _target(address: str) -> dict[str, object]:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise UsageError(
            f"--target-scrape {address} is not an address: give the HOST:PORT of an "
            f"exporter on the target's host, such as 192.0.2.10:9100 for a node_exporter"
        )
    labels = {"fleet": FLEET, "role": "target", "host": host.strip("[]")}
    return {"targets": [address], "labels": labels}


def write_rules(exporter: Path, directory: Path, scrape_seconds: int = SCRAPE_SECONDS) -> None:
    """Write the kit's rules and alerts for scrapes so far apart."""
    directory.mkdir(parents=True, exist_ok=True)
    runbook = f"runbook_url: file://{exporter / 'runbook.md'}"
    for path in sorted([*exporter.glob("rules/*.yml"), *exporter.glob("alerts/*.yml")]):
        text = path.read_text().replace(RUNBOOK, runbook)
        text = text.replace(WINDOW, f"[{max(60, 4 * scrape_seconds)}s]")
        (directory / f"{path.parent.name}-{path.name}").write_text(text)
