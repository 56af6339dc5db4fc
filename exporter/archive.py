"""The runs of the past: verdict and figures of each `results/<run_id>/summary.json`."""

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from exporter.runs import MAXIMUM, RunFigures

MAX_RUNS = 200


class Archive:
    """The newest runs of a results directory; a summary is read again when it has changed."""

    def __init__(self, results: Path) -> None:
        self._results = results
        self._known: dict[Path, tuple[int, RunFigures | None]] = {}

    def runs(self) -> Iterator[RunFigures]:
        """Yield the newest runs; one whose summary can't be read is left out."""
        # Run ids begin with the time, so names sort by age. `latest` is a link to one of them.
        directories = (path for path in self._results.glob("*/") if not path.is_symlink())
        for directory in islice(sorted(directories, reverse=True), MAX_RUNS):
            run = self._run(directory / "summary.json")
            if run is not None:
                yield run

    def _run(self, summary: Path) -> RunFigures | None:
        try:
            changed = summary.stat().st_mtime_ns
        except OSError:
            return None
        if self._known.get(summary, (0, None))[0] != changed:
            self._known[summary] = (changed, _read(summary))
        return self._known[summary][1]


def _read(summary: Path) -> RunFigures | None:
    try:
        fields = json.loads(summary.read_text())
        times = fields["response_time_seconds"]
        labels = {"p50": "0.5", "p95": "0.95", "p99": "0.99", "max": MAXIMUM}
        return RunFigures(
            run_id=summary.parent.name,
            started_at=_moment(fields.get("started_at")),
            ended_at=_moment(fields.get("ended_at")),
            measured_seconds=fields.get("measured_seconds"),
            users=fields.get("specification", {}).get("users"),
            requests=float(fields["requests"]),
            failures=float(fields["failures"]),
            workers_lost=fields.get("workers", {}).get("lost"),
            workers_expected=fields.get("workers", {}).get("expected"),
            quantiles={
                label: float(times[name])
                for name, label in labels.items()
                if times.get(name) is not None
            },
            verdict=str(fields["verdict"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _moment(text: Any) -> float | None:  # noqa: ANN401 - what JSON holds
    return None if text is None else datetime.fromisoformat(text).timestamp()
