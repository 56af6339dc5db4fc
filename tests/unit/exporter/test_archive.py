import json
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from exporter.archive import ArchiveCollector


def test_past_runs_are_shown_and_unfinished_ones_are_not(tmp_path: Path) -> None:
    summary = {
        "verdict": "passed",
        "requests": 10,
        "failures": 1,
        "response_time_seconds": {"p95": 0.2},
    }
    for name, text in {"r1": json.dumps(summary), "r2": "{", "r3": None}.items():
        (tmp_path / name).mkdir()
        if text is not None:
            (tmp_path / name / "summary.json").write_text(text)
    (tmp_path / "latest").symlink_to("r1")
    registry = CollectorRegistry()
    registry.register(ArchiveCollector(tmp_path))
    lines = generate_latest(registry).decode().splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        'locust_run_verdict{run_id="r1",verdict="passed"} 1.0',
        'locust_run_requests{run_id="r1"} 10.0',
        'locust_run_failures{run_id="r1"} 1.0',
        'locust_run_response_time_p95_seconds{run_id="r1"} 0.2',
    ]
