from pathlib import Path

import pytest

from loadgen.results.journal import Journal
from loadgen.results.summary import Summary
from loadgen.shared.errors import UsageError
from tests.unit.samples import summary


class Killed(BaseException):
    """Stands for the process's end: nothing catches it."""


def journal(path: Path, judged: dict[str, Summary] | None = None) -> Journal:
    return Journal(path / "journal.jsonl", (judged or {}).get)


def test_a_finished_step_is_not_repeated(tmp_path: Path) -> None:
    runs: list[str] = []

    def run(run_id: str) -> Summary:
        runs.append(run_id)
        return summary()

    journal(tmp_path).carry_out(0, {"users": 1}, "a", run)
    again = journal(tmp_path)
    assert again.carry_out(0, {"users": 1}, "b", run).verdict == "passed"
    again.carry_out(1, {"users": 2}, "c", run)
    assert runs == ["a", "c"]
    assert [entry.run_id for entry in journal(tmp_path).done] == ["a", "c"]


def test_a_killed_run_that_was_not_judged_is_made_again(tmp_path: Path) -> None:
    def killed(_: str) -> Summary:
        raise Killed

    with pytest.raises(Killed):
        journal(tmp_path).carry_out(0, {}, "a", killed)
    found = journal(tmp_path).carry_out(0, {}, "b", lambda _: summary("failed"))
    assert found.verdict == "failed"
    assert [entry.run_id for entry in journal(tmp_path).done] == ["b"]


def test_a_run_judged_before_the_kill_is_not_lost(tmp_path: Path) -> None:
    def killed(_: str) -> Summary:
        raise Killed

    with pytest.raises(Killed):
        journal(tmp_path).carry_out(0, {}, "a", killed)
    resumed = journal(tmp_path, {"a": summary("failed")})
    assert resumed.carry_out(0, {}, "b", killed).verdict == "failed"
    assert [entry.run_id for entry in journal(tmp_path).done] == ["a"]


def test_an_interrupted_run_is_made_again(tmp_path: Path) -> None:
    judged = {"a": summary("interrupted")}
    journal(tmp_path).carry_out(0, {}, "a", lambda _: judged["a"])
    found = journal(tmp_path, judged).carry_out(0, {}, "b", lambda _: summary())
    assert found.verdict == "passed"


@pytest.mark.parametrize("cut", [1, 40, 200])
def test_a_line_cut_short_by_a_kill_is_dropped(tmp_path: Path, cut: int) -> None:
    first = journal(tmp_path)
    first.carry_out(0, {}, "a", lambda _: summary())
    first.carry_out(1, {}, "b", lambda _: summary())
    path = tmp_path / "journal.jsonl"
    path.write_bytes(path.read_bytes()[:-cut])
    resumed = journal(tmp_path, {"b": summary()})
    assert [entry.run_id for entry in resumed.done] == ["a"]
    resumed.carry_out(1, {}, "c", lambda _: summary())
    assert [entry.run_id for entry in journal(tmp_path).done] == ["a", "b"]


def test_a_journal_of_another_series_is_refused(tmp_path: Path) -> None:
    journal(tmp_path).carry_out(0, {"users": 1}, "a", lambda _: summary())
    with pytest.raises(UsageError, match="belongs to another sweep or search: its step 0 was"):
        journal(tmp_path).carry_out(0, {"users": 2}, "b", lambda _: summary())


def test_a_file_that_is_no_journal_is_refused(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_text("hello\n")
    with pytest.raises(UsageError, match="can't be read as a journal"):
        journal(tmp_path)
