import csv
from pathlib import Path

import polars as pl
import pytest

from loadgen.cli.main import main
from loadgen.node.request_log import RequestLog
from loadgen.results.evaluation.evaluation import EvaluationSettings, evaluate
from loadgen.results.evaluation.log_pictures import POINTS_MAX, _places
from loadgen.results.request_log import merge_log, read_log
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


def test_rows_of_an_earlier_release_that_end_before_they_begin_count_as_0(run: Path) -> None:
    file = run / "requests.parquet"
    log = pl.read_parquet(file)
    early = pl.when(pl.int_range(pl.len()) % 5 == 0).then(-250_000).otherwise(pl.col("duration_us"))
    log.with_columns(duration_us=early).write_parquet(file)
    said = evaluate(run, SVG)
    assert "6 rows of the log end before they begin" in said
    assert "20 requests, 0 failed" in said
    assert "-" not in (run / "evaluation" / "slowest.csv").read_text()


@pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\r\n"])
def test_files_that_an_editor_of_windows_saved_are_read(run: Path, mark: bytes) -> None:
    for name in ("summary.json", "statistics.json"):
        content = (run / name).read_bytes()
        (run / name).write_bytes(mark + content.replace(b"\n", b"\r\n"))
    assert evaluate(run, SVG).startswith("20 requests")


def test_a_distribution_of_many_has_every_one_of_the_slowest() -> None:
    places = _places(1_000_000)
    assert list(places[-1000:]) == list(range(999_000, 1_000_000))
    assert places[0] == 0
    assert len(places) <= POINTS_MAX


def test_pictures_go_where_they_are_wanted_and_a_run_that_vanishes_is_a_sentence(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(run), "--output", str(tmp_path / "else"), "--formats", "svg"])
    assert ended.value.code == 0
    assert (tmp_path / "else" / "throughput.svg").is_file()
    assert not (run / "evaluation").exists()

    def remove(_: Path) -> pl.DataFrame:
        (run / "summary.json").unlink()
        return read_log(run)

    monkeypatch.setattr("loadgen.results.evaluation.evaluation.read_log", remove)
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", str(run), "--formats", "svg"])
    assert ended.value.code == 2
    assert "contains no finished run (No such file or directory)" in capsys.readouterr().err


def test_what_a_target_says_is_no_formula_and_no_escape_sequence(tmp_path: Path) -> None:
    log = RequestLog(tmp_path / "requests", "w")
    begin = summary().started_at
    assert begin
    for number in range(30):
        log.enter("measured")
        started = begin.timestamp() + number
        log.add("GET", "=cmd|' /C calc'!A0", 10.0, "@SUM(A1)$\\frac$\x1b[2J", started)
    log.write()
    merge_log(tmp_path)
    write(tmp_path, Record([entry("/")], [Point(START + 1, 1.0, 3, 5, 0, {10.0: 5})]))

    evaluate(tmp_path, SVG)

    for name in ("slowest.csv", "causes.csv"):
        with (tmp_path / "evaluation" / name).open(newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert any("SUM" in cell for cell in cells)
        assert not [cell for cell in cells if cell.startswith(("=", "@", "+", "-"))], name
