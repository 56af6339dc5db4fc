"""Dashboards and recording rules leave the same rows out of totals as a snapshot does."""

import re
from pathlib import Path

from exporter.grafana.names import REQUESTS_ONLY
from loadgen.shared.snapshot import TRANSACTION_METHODS

EXPORTER = Path(__file__).parents[3] / "exporter"


def test_every_query_leaves_the_transactions_of_a_snapshot_out() -> None:
    texts = {
        path: path.read_text().replace('\\"', '"')
        for path in EXPORTER.rglob("*")
        if path.suffix in {".yml", ".json"}
    }
    found = {(path.name, one) for path, text in texts.items() for one in _matchers(text)}
    assert {path for path, _ in found} >= {"locust.yml", "home.json"}
    assert {one for _, one in found} == {REQUESTS_ONLY}
    assert all(method in REQUESTS_ONLY for method in TRANSACTION_METHODS)


def _matchers(text: str) -> list[str]:
    return re.findall(r'method!~"[^"]*"', text)
