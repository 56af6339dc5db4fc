"""Write every dashboard: `python -m exporter.grafana [DIRECTORY]`."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from grafana_foundation_sdk.builders.dashboard import Dashboard
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from exporter.grafana import compare, fleet, home, run

DIRECTORY = Path(__file__).with_name("dashboards")


def dashboards() -> dict[str, Dashboard]:
    """Return every dashboard by the name of its file."""
    modules = {"home": home, "run": run, "fleet": fleet, "compare": compare}
    return {name: module.build() for name, module in modules.items()}


def as_json(dashboard: Dashboard) -> str:
    """Serialize a dashboard as it is committed. Panels are numbered in their order."""
    made = dashboard.build()
    for number, panel in enumerate(made.panels or [], start=1):
        panel.id_val = number
    return json.dumps(made, cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


def main(arguments: Sequence[str]) -> None:
    """Write the dashboards into a directory, by default the one that is committed."""
    directory = Path(arguments[0]) if arguments else DIRECTORY
    directory.mkdir(parents=True, exist_ok=True)
    for name, dashboard in dashboards().items():
        (directory / f"{name}.json").write_text(as_json(dashboard))


if __name__ == "__main__":
    main(sys.argv[1:])
