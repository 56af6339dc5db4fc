import json
import os
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from loadgen.results import catalogue
from loadgen.results.statistics_file import STATISTICS_FILE, Record, dump_record
from loadgen.runs.series import Series, create_series
from loadgen.shared.errors import UsageError
from loadgen.specification.experiment import Experiment
from tests.unit.results.many_runs import make_runs
from tests.unit.samples import entry, summary


def make(results: Path, name: str, age_days: float = 0) -> Path:
    directory = results / name
    (directory / "hosts").mkdir(parents=True)
    moment = datetime.now(UTC) - timedelta(days=age_days)
    made = summary().model_copy(update={"run_id": name, "started_at": moment})
    (directory / "summary.json").write_text(made.model_dump_json())
    return directory


@pytest.fixture
def results(tmp_path: Path) -> Path:
    for age in range(5):
        make(tmp_path, f"2026112{5 - age}T000000Z-hello-000{age}", age)
    (tmp_path / "latest").symlink_to("20261125T000000Z-hello-0000")
    (tmp_path / "unfinished").mkdir()
    return tmp_path


def test_runs_are_listed_oldest_first_with_their_marks(results: Path) -> None:
    catalogue.name_baseline(results, catalogue.find_run(results, "20261122"))
    lines = catalogue.describe(catalogue.list_runs(results), results).splitlines()
    assert len(lines) == 6
    assert lines[1].startswith("20261121")
    assert lines[2].endswith("baseline")
    assert lines[5].endswith("latest")


def test_a_run_is_found_by_mark_id_beginning_or_path(results: Path) -> None:
    newest = (results / "20261125T000000Z-hello-0000").resolve()
    for reference in ("latest", newest.name, "20261125", str(newest)):
        assert catalogue.find_run(results, reference) == newest


@pytest.mark.parametrize("reference", ["2026", "absent", "unfinished", "*", "", "../.."])
def test_what_is_no_single_run_is_refused(results: Path, reference: str) -> None:
    with pytest.raises(UsageError, match="no run"):
        catalogue.find_run(results, reference)


def test_a_baseline_has_to_be_named_first(results: Path) -> None:
    with pytest.raises(UsageError, match="no baseline has been chosen"):
        catalogue.find_run(results, "baseline")


def test_pruning_keeps_the_newest_the_baseline_and_the_young(results: Path) -> None:
    catalogue.name_baseline(results, results / "20261121T000000Z-hello-0004")
    names = [run.name[:8] for run in catalogue.prunable(results, keep=2, older_than_seconds=None)]
    assert names == ["20261122", "20261123"]
    young = catalogue.prunable(results, keep=1, older_than_seconds=2.5 * 86400)
    assert [run.name[:8] for run in young] == ["20261122"]
    with pytest.raises(UsageError, match="keep at least 1"):
        catalogue.prunable(results, keep=0, older_than_seconds=None)


def test_removing_a_run_removes_all_of_it(results: Path) -> None:
    catalogue.remove(results / "20261121T000000Z-hello-0004")
    assert len(catalogue.list_runs(results)) == 4
    assert not (results / "20261121T000000Z-hello-0004").exists()


def test_a_series_means_all_its_runs(results: Path) -> None:
    experiment = Experiment.model_validate({"repetitions": 3})
    directory = create_series(experiment, results, "try")

    def run(_: object, run_id: str) -> object:
        make(results, run_id)
        return summary().model_copy(update={"run_id": run_id})

    Series(experiment, directory, run, lambda _: True, lambda _: None).sweep()  # type: ignore[arg-type]
    assert len(catalogue.find_runs(results, directory.name)) == 3
    assert len(catalogue.find_runs(results, "latest,20261122")) == 2


def test_the_list_fits_a_terminal_and_names_the_directories(tmp_path: Path) -> None:
    names = make_runs(tmp_path, 12, broken=3)
    long = tmp_path / f"20270301T000000Z-{'x' * 40}-0001"
    shutil.copytree(tmp_path / names[0], long)
    (tmp_path / "latest").symlink_to(names[-1])
    said = catalogue.describe(catalogue.list_runs(tmp_path), tmp_path).splitlines()
    table = [line for line in said if "broken" not in line]
    assert max(map(len, table)) <= 80
    assert [line for line in table if line.startswith(names[3])]
    assert any("latest" in line for line in table)
    assert sum("it has no summary: the run was killed" in line for line in said) == 1
    assert sum("summary.json is not a summary" in line for line in said) == 2


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda file: file.write_bytes(b"\xff\xfe\x00{"), "not a summary of a run (Invalid JSON"),
        (lambda file: file.write_text("[]"), "not a summary of a run (Input should be an object)"),
        (
            lambda file: file.write_text('{"run_id": 5}'),
            "not a summary of a run (run_id: Input should",
        ),
        (lambda file: file.write_bytes(file.read_bytes()[:200]), "it was changed or cut off, or"),
        (_pipe, "it is not a regular file"),
        (_directory, "Is a directory"),
    ],
)
def test_a_summary_that_is_none_is_a_sentence(
    results: Path, spoil: Callable[[Path], object], said: str
) -> None:
    run = sorted(path for path in results.iterdir() if not path.is_symlink())[0]
    spoil(run / "summary.json")
    assert said in catalogue.describe(catalogue.list_runs(results), results)
    with pytest.raises(UsageError, match=re.escape(said)):
        catalogue.summary_of(run)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("a_stats.csv", "a_stats_history.csv"), "files of `locust --csv`"),
        (("a_requests.csv", "a_distribution.csv"), "files of `locust --csv`"),
        (("stats.csv", "failures.csv"), "files of `locust --csv`"),
        (("notes.txt",), "that directory contains no summary.json"),
        ((), "that directory contains no summary.json"),
    ],
)
def test_a_directory_of_something_else_is_named(
    results: Path, names: tuple[str, ...], said: str
) -> None:
    directory = results / "theirs"
    directory.mkdir()
    for name in names:
        (directory / name).write_bytes(b"\xef\xbb\xbfType;Name\r\n")
    with pytest.raises(UsageError, match=said):
        catalogue.find_run(results, str(directory))
    for name in names[:1]:
        with pytest.raises(UsageError, match=r"locust --csv|that is a file"):
            catalogue.find_run(results, str(directory / name))


def test_the_prefix_that_locust_was_given_is_known(results: Path) -> None:
    (results / "try_stats.csv").touch()
    with pytest.raises(UsageError, match="locust --csv"):
        catalogue.find_run(results, str(results / "try"))


def test_a_run_that_was_killed_is_no_other_programs(results: Path) -> None:
    killed = results / "20261120T000000Z-hello-0009"
    killed.mkdir()
    (killed / "stats.csv").touch()
    with pytest.raises(UsageError, match="the run was killed, or is still under way"):
        catalogue.find_run(results, str(killed))


@pytest.mark.parametrize(
    ("field", "value"),
    [("requests", "-5"), ("failures", "-1"), ("throughput_per_second", "1e400"),
     ("measured_seconds", "-2.5"), ("response_time_seconds", '{"p95": 1e999}')],
)  # fmt: skip
def test_figures_that_no_run_has_are_refused_and_said(
    results: Path, field: str, value: str
) -> None:
    run = results / "20261125T000000Z-hello-0000"
    text = (run / "summary.json").read_text()
    (run / "summary.json").write_text(
        f'{{"{field}": {value}, ' + text.replace(f'"{field}"', '"x"')[1:]
    )
    with pytest.raises(
        UsageError, match=f"its {field}[.p95]* is .*, which is not possible in a run"
    ):
        catalogue.summary_of(run)
    assert "which is not possible in a run" in catalogue.describe(
        catalogue.list_runs(results), results
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [("requests", -3), ("failures", 99), ("response_times", {"5": -3}), ("failures", -1)],
)
def test_counts_that_contradict_each_other_are_refused(
    tmp_path: Path, field: str, value: object
) -> None:
    record = json.loads(dump_record(Record([entry(response_times={5.0: 50})], [])))
    record["entries"][0][field] = value
    (tmp_path / STATISTICS_FILE).write_text(json.dumps(record))
    with pytest.raises(UsageError, match="contradict each other"):
        catalogue.record_of(tmp_path)
