from pathlib import Path

import pytest

from loadgen.node.request_log import RequestLog
from loadgen.results.evaluation.evaluation import EvaluationSettings, evaluate
from loadgen.results.request_log import merge_log
from loadgen.results.statistics_file import Record, dump_record
from loadgen.results.timeline import Point
from tests.unit.samples import START, entry, summary

SVG = EvaluationSettings(limits=(0.05,), formats=("svg",))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    log = RequestLog(tmp_path / "requests", "w", phase="warm_up")
    begin = summary().started_at
    assert begin
    for second in range(-5, 21):
        log.enter("warm_up" if second < 0 else "measured" if second < 20 else "stopping")
        log.add("GET", "/", 10.0 * abs(second), start_time=begin.timestamp() + second)
    log.write()
    merge_log(tmp_path)
    write(tmp_path, Record([entry("/")], [Point(START + 1, 1.0, 3, 5, 0, {10.0: 5})]))
    return tmp_path


def write(run: Path, record: Record, **fields: object) -> None:
    (run / "statistics.json").write_text(dump_record(record))
    made = summary().model_copy(update=fields)
    (run / "summary.json").write_text(made.model_dump_json())


def test_warm_up_and_stop_are_left_out_and_limits_are_counted(run: Path) -> None:
    said = evaluate(run, SVG)
    assert said.startswith("20 requests, 0 failed\n14 above 0.05 s\n")
    names = {path.name for path in (run / "evaluation").iterdir()}
    assert {"users.svg", "throughput.svg", "slowest.csv", "causes.csv"} <= names


def test_a_sample_is_said_to_be_one(run: Path) -> None:
    write(run, Record([], []), specification={"request_log": {"sampling_ratio": 0.1}})
    assert evaluate(run, SVG).startswith("a sample of 10 % of the requests")


def test_coordinated_omission_is_corrected_beside_the_measured(run: Path) -> None:
    said = evaluate(run, SVG.model_copy(update={"interval_seconds": 0.1}))
    assert "as measured: p50 10 ms, p95 250 ms" in said
    assert "corrected for coordinated omission: p50 10 ms" in said


def test_an_open_model_run_shows_both_starts(run: Path) -> None:
    due = entry("Alarms", "ARRIVAL", {40.0: 100})
    write(run, Record([entry("/", "POST", {10.0: 100}), due], []))
    said = evaluate(run, SVG)
    assert "from the real start: p50 10 ms" in said
    assert "from the intended start: p50 40 ms" in said
