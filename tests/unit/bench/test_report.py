"""The benchmark's arithmetic, and its reading of what generators print."""

from pathlib import Path

import pytest

from tests.bench.costs import Beside, MasterLoad, Switched
from tests.bench.generators import Found, _h2load_counts, _wrk_latency
from tests.bench.report import SIZED_SCENARIO, Accuracy, Costs, Results, claim, write
from tests.bench.targets import Truth


def _found(requests: int) -> Found:
    return Found(requests, 0, seconds=10.0, cpu_seconds=10.0, peak_memory_bytes=50_000_000)


def _results() -> Results:
    slow, fast = (100_000, 50_000, 200_000), (300_000, 200_000, 800_000)
    found = {"FastHttpUser": [*map(_found, slow)], "FastUser": [*map(_found, fast)]}
    return Results(SIZED_SCENARIO, "FastHttpUser", found)


def test_ratios_are_medians_of_pairs() -> None:
    results = _results()
    assert results.rate("FastUser") == 30_000
    assert results.ratio("FastUser", "FastHttpUser") == 4.0
    assert results.cpu("FastHttpUser") == 100.0


def test_the_documents_say_what_was_found(tmp_path: Path) -> None:
    found = Found(100, 0, 1.0, 0.5, 0, min_ms=2.01, p50_ms=2.1, p99_ms=20.5)
    truth = Truth("http://x", p50_ms=2.0, p99_ms=20.0, min_ms=2.0)
    beside = [Beside("plain", 5.0, 2.0), Beside("all of it", 15.0, 9.0, exporter=4.0)]
    kit = Switched([20.0, 19.0, 21.0], [20.0, 21.0, 22.0])
    costs = Costs(kit=kit, beside=beside, masters=[MasterLoad(100, 100, 0.2, 1, 2)])
    accuracies = [Accuracy("FastUser", 5, found, truth)]
    write(docs := tmp_path / "new" / "docs", [_results()], accuracies, costs)
    table = (docs / "benchmark.md").read_text()
    assert "| FastUser | 30,000 | 4.00 | - | 33.3 | 50 | - | 0 |" in table
    assert "| 5 | FastUser | 100 | +0.100 | +0.500 | +0.010 |" in table
    assert (
        "A core with all parts of the kit therefore sends 0.943 times as many requests as plain "
        "Locust." in table
    )
    assert "| plain | 20.0 | 5.0 | 2.0 | - |" in table
    assert "| all of it | 21.0 | 15.0 | 9.0 | 4.0 |" in table
    sizing = (docs / "sizing.md").read_text()
    assert "| 1,000,000 | 48 | 6 | 2 | 1 |" in sizing
    assert "serves about 350 workers" in sizing
    assert (docs / "benchmark.svg").stat().st_size > 1000


@pytest.mark.parametrize(
    ("line", "milliseconds"),
    [("50%  812.00us", 0.812), ("50%    2.41ms", 2.41), ("50%  1.5s", 1500)],
)
def test_wrk_latencies_are_read_in_their_units(line: str, milliseconds: float) -> None:
    assert _wrk_latency(f"  Latency\n     {line}\n", "50%") == pytest.approx(milliseconds)


def test_h2loads_counts_are_read() -> None:
    said = """
finished in 2.00s, 27285.50 req/s, 4.79MB/s
requests: 54571 total, 54581 started, 54571 done, 54570 succeeded, 1 failed, 0 errored, 0 timeout
"""
    assert _h2load_counts(said) == {"requests": 54571, "failures": 1, "seconds": 2.0}
    with pytest.raises(RuntimeError, match="could not connect"):
        _h2load_counts("could not connect")


def test_readmes_sentence_rounds_down() -> None:
    assert "than FastHttpUser:\n  4.0 times on small GETs\n" in claim([_results()])
    assert not claim([])
