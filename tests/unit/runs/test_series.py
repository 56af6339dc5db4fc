import json
from collections.abc import Callable
from pathlib import Path

import pytest

from loadgen.results.summary import Summary
from loadgen.runs.capacity_search import Capacity
from loadgen.runs.series import (
    Interrupted,
    Series,
    create_series,
    load_series,
    search_exit_code,
    sweep_exit_code,
    trial_outcome,
)
from loadgen.shared.errors import OperationError, UsageError
from loadgen.specification.experiment import Experiment
from loadgen.specification.run import RunSpecification
from tests.unit.samples import summary


class Killed(BaseException):
    """Stands for the process's end: nothing catches it."""


class Target:
    """Makes runs that hold up to a capacity, and writes their summaries as a run does."""

    def __init__(self, results: Path, capacity: int = 10, killed_at: int | None = None) -> None:
        self.results, self.capacity, self.killed_at = results, capacity, killed_at
        self.users: list[int] = []

    def __call__(self, specification: RunSpecification, run_id: str) -> Summary:
        if len(self.users) == self.killed_at:
            raise Killed
        self.users.append(specification.users)
        held = specification.users <= self.capacity
        made = summary("passed" if held else "failed").model_copy(update={"run_id": run_id})
        (self.results / run_id).mkdir()
        (self.results / run_id / "summary.json").write_text(made.model_dump_json())
        return made


def series(
    directory: Path, target: Callable[[RunSpecification, str], Summary], rest: bool = True
) -> Series:
    return Series(load_series(directory), directory, target, lambda _: rest, lambda _: None)


def begin(results: Path, **fields: object) -> Path:
    return create_series(Experiment.model_validate(fields), results, "try")


def test_a_killed_sweep_resumes_without_repeating_or_losing_a_run(tmp_path: Path) -> None:
    directory = begin(tmp_path, sweep={"users": [1, 5, 20]}, repetitions=2)
    first = Target(tmp_path, killed_at=3)
    with pytest.raises(Killed):
        series(directory, first).sweep()
    second = Target(tmp_path)
    rows = series(directory, second).sweep()
    assert first.users + second.users == [1, 1, 5, 5, 20, 20]
    assert [row["users"] for row in rows] == [1, 1, 5, 5, 20, 20]
    assert len({row["run_id"] for row in rows}) == 6
    assert sweep_exit_code(rows) == 1
    assert (directory / "table.csv").read_text().count("\n") == 7


def test_a_killed_search_resumes_where_it_was(tmp_path: Path) -> None:
    whole, part = (begin(tmp_path, search={"most": 100}) for _ in range(2))
    target = Target(tmp_path)
    expected = series(whole, target).search(load_series(whole).search)  # type: ignore[arg-type]
    first, second = Target(tmp_path, killed_at=9), Target(tmp_path)
    with pytest.raises(Killed):
        series(part, first).search(load_series(part).search)  # type: ignore[arg-type]
    found = series(part, second).search(load_series(part).search)  # type: ignore[arg-type]
    assert (found.low, found.high) == (expected.low, expected.high) == (10, 11)
    assert first.users + second.users == target.users
    written = json.loads((part / "capacity.json").read_text())
    assert written["low"] == 10
    assert len(written["trials"]) == len(target.users)


def test_the_user_ends_a_series_while_it_rests(tmp_path: Path) -> None:
    directory = begin(tmp_path, sweep={"users": [1, 5]})
    target = Target(tmp_path)
    with pytest.raises(Interrupted):
        series(directory, target, rest=False).sweep()
    assert target.users == [1]


@pytest.mark.parametrize(
    ("verdict", "kinds", "state"),
    [
        ("passed", (), "held"),
        ("failed", (), "broke"),
        ("invalid", ("generator_cpu",), "saturated"),
        ("invalid", ("generator_cpu", "generator_stall"), "saturated"),
        ("invalid", ("generator_stall",), "unusable"),
        ("invalid", ("generator_cpu", "lost_worker"), "unusable"),
        ("invalid", ("lost_samples",), "unusable"),
        ("error", ("fault",), "unusable"),
    ],
)
def test_a_run_means_to_a_search(verdict: str, kinds: tuple[str, ...], state: str) -> None:
    made = summary().model_copy(update={"verdict": verdict, "reason_kinds": kinds})
    assert trial_outcome(made).state == state


def test_exit_codes_of_searches(tmp_path: Path) -> None:
    def found(capacity: int) -> Capacity:
        directory = begin(tmp_path, search={"most": 50})
        settings = load_series(directory).search
        assert settings
        return series(directory, Target(tmp_path, capacity)).search(settings)

    assert search_exit_code(found(10)) == 0
    assert search_exit_code(found(0)) == 1
    assert search_exit_code(found(10).model_copy(update={"limited_by": "generators"})) == 3


def test_a_search_over_errors_gives_up(tmp_path: Path) -> None:
    directory = begin(tmp_path, search={})
    settings = load_series(directory).search
    assert settings
    with pytest.raises(OperationError, match="3 trials in a row"):
        series(directory, lambda *_: summary("error")).search(settings)


def test_a_search_that_gave_up_goes_on_when_it_is_resumed(tmp_path: Path) -> None:
    directory = begin(tmp_path, search={"most": 100})
    settings = load_series(directory).search
    assert settings
    stall = {"verdict": "invalid", "reason_kinds": ("generator_stall",)}
    busy = Target(tmp_path)
    with pytest.raises(OperationError, match="loadgen doctor shows its load"):
        series(directory, lambda *run: busy(*run).model_copy(update=stall)).search(settings)
    quiet = Target(tmp_path)
    found = series(directory, quiet).search(settings)
    assert busy.users == [1, 1, 1]
    assert (found.low, found.high) == (10, 11)


def test_a_search_waits_after_a_trial_that_could_not_be_used(tmp_path: Path) -> None:
    directory = begin(tmp_path, search={}, rest="1s")
    settings = load_series(directory).search
    assert settings
    rests: list[float] = []

    def rest(seconds: float) -> bool:
        rests.append(seconds)
        return True

    error = summary("error")
    made = Series(load_series(directory), directory, lambda *_: error, rest, lambda _: None)
    with pytest.raises(OperationError):
        made.search(settings)
    assert rests == [10.0, 1.0, 10.0, 1.0]


def test_a_directory_without_a_series_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="contains no sweep or capacity search"):
        load_series(tmp_path)


def test_the_table_of_a_sweep_holds_no_formula(tmp_path: Path) -> None:
    directory = begin(tmp_path, sweep={"description": ["=1+1", "@SUM(A1)", "plain"]})

    series(directory, Target(tmp_path)).sweep()

    lines = (directory / "table.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in lines[1:]] == ["'=1+1", "'@SUM(A1)", "plain"]
