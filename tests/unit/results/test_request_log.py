import random
import time
from pathlib import Path
from types import SimpleNamespace

import polars as pl
import pytest

from loadgen.node import request_log as node_log
from loadgen.node.request_log import RequestLog
from loadgen.node.statistics.request_log_format import SCHEMA
from loadgen.node.statistics.time_rounding import bucket
from loadgen.results.request_log import merge_log, read_log, shortage
from loadgen.shared.errors import UsageError
from loadgen.shared.histograms import percentile


def test_a_row_holds_what_the_request_was(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "requests", "worker-1")
    log.add("GET", "/a", 1.2345, start_time=100.5, response=SimpleNamespace(status_code=200))
    log.add("POST", "/b", None, exception=ValueError("no title"), start_time=100.25)
    log.write()
    assert merge_log(tmp_path) == 2
    rows = read_log(tmp_path).rows(named=True)
    assert read_log(tmp_path).schema == SCHEMA
    assert rows == [
        {
            "start_us": 100_250_000,
            "duration_us": None,
            "method": "POST",
            "name": "/b",
            "status": None,
            "error": "ValueError: no title",
            "worker": "worker-1",
            "phase": "measured",
            "trace_id": None,
        },
        {
            "start_us": 100_500_000,
            "duration_us": 1234,
            "method": "GET",
            "name": "/a",
            "status": 200,
            "error": None,
            "worker": "worker-1",
            "phase": "measured",
            "trace_id": None,
        },
    ]


def test_logs_of_workers_and_hosts_merge_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_log, "CHUNK_ROWS", 10)
    places = [tmp_path / "hosts" / "a", tmp_path / "hosts" / "b", tmp_path]
    for number, place in enumerate(places):
        log = RequestLog(place / "requests", f"w{number}")
        for second in range(25):
            log.add("GET", "/", 1.0, start_time=float((second * 7 + number) % 31))
        log.write()
    assert merge_log(tmp_path) == 75
    starts = read_log(tmp_path)["start_us"].to_list()
    assert starts == sorted(starts)
    assert not list(tmp_path.rglob("requests/*"))


def test_a_sample_is_about_the_share_asked_for_and_unbiased(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "requests", "w", sampling_ratio=0.1)
    for index in range(10_000):
        log.add("GET", "/", 1.0, exception="slow" if index % 4 == 0 else None)
    log.write()
    rows = merge_log(tmp_path)
    assert 800 < rows < 1200
    failed = read_log(tmp_path).filter(pl.col("error").is_not_null()).height
    assert 0.2 < failed / rows < 0.3


def test_percentiles_of_histogram_and_log_agree_within_the_resolution(tmp_path: Path) -> None:
    generator, log = random.Random(3), RequestLog(tmp_path / "requests", "w")
    histogram: dict[float, int] = {}
    for _ in range(100_000):
        milliseconds = generator.lognormvariate(2, 1.5)
        rounded = bucket(milliseconds)
        histogram[rounded] = histogram.get(rounded, 0) + 1
        log.add("GET", "/", milliseconds, start_time=1.0)
    log.write()
    merge_log(tmp_path)
    exact = read_log(tmp_path)["duration_us"]
    longest = float(exact.max() or 0) / 1000  # type: ignore[arg-type]
    for ratio in (0.5, 0.95, 0.99, 1):
        true = exact.quantile(ratio, "higher")
        found = percentile(histogram, ratio, maximum=longest)
        assert true is not None
        assert found == pytest.approx(true / 1000, rel=0.011)


def test_logging_is_cheap(tmp_path: Path) -> None:
    log, count = RequestLog(tmp_path / "requests", "w"), 50_000
    response = SimpleNamespace(status_code=200)
    began = time.process_time()
    for _ in range(count):
        log.add("GET", "/item/[id]", 12.5, start_time=5.0, response=response)
    assert (time.process_time() - began) / count < 20e-6


def test_a_run_without_a_log_says_how_to_get_one(tmp_path: Path) -> None:
    assert merge_log(tmp_path) == 0
    with pytest.raises(UsageError, match=r"holds no requests\.parquet"):
        read_log(tmp_path)


def test_rows_that_can_not_be_written_are_named_and_keep_no_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "requests").write_text("a file where the directory should be")
    log = RequestLog(tmp_path / "requests", "w")
    log.add("GET", "/", 1.0, start_time=1.0)
    log.write()
    log.write()
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "1 rows of the request log could not be written"
    ]


@pytest.mark.parametrize(
    ("rows", "requests", "ratio", "short"),
    [
        (100, 100, 1.0, False),
        (120, 100, 1.0, False),  # a warm-up's requests are in the log only
        (99, 100, 1.0, True),
        (0, 0, 1.0, False),
        (950, 10_000, 0.1, False),
        (700, 10_000, 0.1, True),
    ],
)
def test_a_log_with_too_few_rows_is_named(
    rows: int, requests: int, ratio: float, short: bool
) -> None:
    said = shortage(rows, requests, ratio)
    assert bool(said) == short
    assert f"holds {rows:,} rows" in said or not short
