import random
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadgen.node import request_log as node_log
from loadgen.node.request_log import RequestLog
from loadgen.node.statistics.request_log_format import SCHEMA
from loadgen.node.statistics.time_rounding import bucket
from loadgen.results.request_log import merge_log, read_log, shortage
from loadgen.shared.errors import UsageError
from loadgen.shared.histograms import percentile
from loadgen.shared.text import encodable

METHODS = st.sampled_from(["GET", "POST", "ARRIVAL"])
NAMES = st.sampled_from(["/", "/a b", "ü", "half \ud800"]) | st.text(max_size=3)
TIMES = st.none() | st.floats(0, 1e6)
STATUSES = st.none() | st.integers(1, 999)
ERRORS = st.none() | st.sampled_from(["timed out", "half \ud800", ""])
TRACES = st.none() | st.just("00f067aa0ba902b7")


def test_a_row_holds_what_the_request_was(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "requests", "worker-1")
    log.add("GET", "/a", 1.2345, start_time=100.5, response=SimpleNamespace(status_code=200))
    log.add("POST", "/b", None, exception=ValueError("no title"), start_time=100.25)
    log.write()
    assert merge_log(tmp_path) == 2
    rows = read_log(tmp_path).rows(named=True)
    assert read_log(tmp_path).cast(SCHEMA).rows(named=True) == rows
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


def test_requests_belong_to_the_phase_in_which_they_were_answered(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "requests", "w", phase="warm_up")
    log.enter("warm_up")
    for start, phase in enumerate(("warm_up", "measured", "measured", "stopping"), 1):
        log.enter(phase)  # type: ignore[arg-type]
        log.take("GET", "/", 1.0, 5, float(start), 200)
    log.write()
    merge_log(tmp_path)
    rows = read_log(tmp_path)
    assert rows["phase"].to_list() == ["warm_up", "measured", "measured", "stopping"]
    assert rows["start_us"].to_list() == [1_000_000, 2_000_000, 3_000_000, 4_000_000]


@given(st.lists(st.tuples(METHODS, NAMES, TIMES, st.floats(0, 1e9), STATUSES, ERRORS, TRACES)))
@settings(max_examples=40, deadline=None)
def test_every_request_is_a_row_as_it_was_told(requests: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        log, told = RequestLog(Path(name) / "requests", "w"), []
        for method, path, milliseconds, start, status, error, trace in requests:
            ordinary = None not in (milliseconds, status) and error is trace is None
            if ordinary:
                log.take(method, path, milliseconds, 0, start, status)
            else:
                response, context = SimpleNamespace(status_code=status), {"trace_id": trace}
                log.add(method, path, milliseconds, error, start, response, context)
            duration = None if milliseconds is None else round(milliseconds * 1000)
            shown = encodable(path), status, error and encodable(error), trace
            told.append((round(start * 1e6), duration, method, *shown))
        log.write()
        assert merge_log(Path(name)) == len(told)
        if told:
            found = read_log(Path(name)).drop("worker", "phase").rows()
            assert sorted(map(str, found)) == sorted(map(str, told))


def test_a_time_below_0_counts_as_0_as_in_the_statistics(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "requests", "w")
    log.add("GET", "/set/back", -1.0, start_time=5.0)
    log.add("GET", "/", 1.0, start_time=6.0)
    log.write()
    assert merge_log(tmp_path) == 2
    assert read_log(tmp_path)["duration_us"].to_list() == [0, 1000]


@pytest.mark.parametrize("odd", [float("nan"), float("inf"), 1e300, "soon", None])
def test_a_request_without_a_time_that_counts_costs_no_other(tmp_path: Path, odd: Any) -> None:
    log = RequestLog(tmp_path / "requests", "w")
    log.take("GET", "/", 1.0, 5, 1.0, 200)
    log.add("GET", "/odd", odd, start_time=5.0)
    log.add("GET", "/odd", 1.0, start_time=odd)
    log.write()
    assert merge_log(tmp_path) == 3
    plain, timeless, now = read_log(tmp_path).rows(named=True)
    assert (plain["name"], plain["duration_us"]) == ("/", 1000)
    assert (timeless["start_us"], timeless["duration_us"]) == (5_000_000, None)
    assert abs(now["start_us"] / 1e6 - time.time()) < 60


def test_a_long_log_is_written_in_chunks_of_a_bounded_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_log, "CHUNK_ROWS", 10)
    log = RequestLog(tmp_path / "requests", "w")
    for number in range(25):
        log.take("GET", f"/{number % 3}", 1.0, 5, float(number), 200)
    assert len(list((tmp_path / "requests").iterdir())) == 2
    log.write()
    assert merge_log(tmp_path) == 25


@pytest.mark.parametrize(
    "change",
    [
        {"duration_us": [[1]]},  # fewer than starts
        {"start_us": [[]], "duration_us": [[]]},
        {"start_us": [None], "duration_us": [None]},
        {"start_us": [list(range(80_001))], "duration_us": [list(range(80_001))]},
        {"status": ["200"]},
    ],
)
def test_a_chunk_that_no_worker_writes_is_left_aside(
    tmp_path: Path, change: dict[str, list[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    log = RequestLog(tmp_path / "requests", "w")
    for _ in range(2):
        log.take("GET", "/", 1.0, 5, 1.0, 200)
    log.write()
    (written,) = (tmp_path / "requests").iterdir()
    columns = {name: pl.Series(values) for name, values in change.items()}
    pl.read_parquet(written).with_columns(**columns).write_parquet(
        written.with_name("strange.parquet")
    )
    assert merge_log(tmp_path) == 2
    assert "strange.parquet is not a request log of this release, so it is left out" in caplog.text


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
    with pytest.raises(UsageError, match=r"contains no requests\.parquet"):
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


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"start_us": None}, "rows have no start_us"),
        ({"name": None}, "rows have no name"),
        ({"start_us": "yesterday"}, "conversion"),
    ],
)
def test_rows_that_no_run_writes_are_refused(
    tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    log = RequestLog(tmp_path / "requests", "worker-1")
    log.add("GET", "/a", 1.5, start_time=100.5)
    log.write()
    merge_log(tmp_path)
    file = tmp_path / "requests.parquet"
    pl.read_parquet(file).with_columns(**{k: pl.lit(v) for k, v in change.items()}).write_parquet(
        file
    )
    with pytest.raises(UsageError, match=said):
        read_log(tmp_path)


def test_a_log_larger_than_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = RequestLog(tmp_path / "requests", "worker-1")
    for second in range(1000):
        log.add("GET", "/a", 1.5, start_time=100.5 + second)
    log.write()
    merge_log(tmp_path)
    monkeypatch.setattr("loadgen.results.request_log.free_memory_bytes", lambda: 100_000)
    with pytest.raises(UsageError, match=r"1,000 rows, whose evaluation takes .* keep a sample"):
        read_log(tmp_path)
