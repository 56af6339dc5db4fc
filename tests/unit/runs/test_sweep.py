from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from loadgen.results.evaluation.pictures import save_picture
from loadgen.runs.capacity_search import TrialOutcome, find_capacity
from loadgen.runs.series_pictures import draw_search, draw_sweep
from loadgen.runs.sweep import describe, row, write_csv
from loadgen.specification.experiment import SearchSettings, plan_cells
from tests.unit.samples import summary

values = st.lists(st.integers(1, 9), min_size=1, max_size=4, unique=True)


@given(st.dictionaries(st.sampled_from(["users", "workers"]), values), st.integers(1, 3))
def test_every_combination_is_run_as_often_as_asked(
    sweep: dict[str, list[int]], repetitions: int
) -> None:
    cells = plan_cells({name: list(numbers) for name, numbers in sweep.items()}, repetitions)
    expected = repetitions
    for numbers in sweep.values():
        expected *= len(numbers)
    assert len(cells) == expected
    assert len({(str(cell.fields), cell.repetition) for cell in cells}) == expected
    assert [cell.step for cell in cells] == list(range(expected))


def test_the_last_field_changes_fastest() -> None:
    cells = plan_cells({"users": [1, 2], "workers": [1, 2]}, 1)
    assert [tuple(cell.fields.values()) for cell in cells] == [(1, 1), (1, 2), (2, 1), (2, 2)]
    assert cells[1].text == "users=1 workers=2, repetition 1"


def test_the_table_has_a_row_a_run() -> None:
    rows = [row(cell, summary()) for cell in plan_cells({"users": [1, 10]}, 2)]
    lines = write_csv(rows).splitlines()
    assert lines[0].startswith("users,repetition,verdict,requests")
    assert lines[3].startswith("10,1,passed,100,0,10.0,0.01,0.25")
    assert "250 ms" in describe(rows)
    assert describe([]) == "no run was made"


def test_pictures_of_sweeps_over_numbers_and_words(tmp_path: Path) -> None:
    for name, listed in (("users", [1, 10, 100]), ("locustfile", ["a.py", "b.py"])):
        rows = [row(cell, summary()) for cell in plan_cells({name: list(listed)}, 2)]
        assert save_picture(draw_sweep(rows, name), tmp_path / name, ("png",))


def test_picture_of_a_search(tmp_path: Path) -> None:
    def measure(load: int) -> TrialOutcome:
        state = "held" if load <= 40 else "broke"
        return TrialOutcome(
            state=state,
            p95_seconds=1 / (50 - load) if load < 50 else 2,
            throughput_per_second=min(load, 45),
        )

    found = find_capacity(measure, SearchSettings(compare_published=True))
    assert save_picture(draw_search(found, (0.1,)), tmp_path / "search", ("png",))
