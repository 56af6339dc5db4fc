"""Rows of data files, without a run: what is read, what is refused, who gets which."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import gevent
import pytest
from locust import User
from locust.env import Environment
from locust.exception import StopUser
from locust.runners import MasterRunner

from loadgen.scenario.rows import Rows, read_rows
from loadgen.shared.errors import UsageError


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text('sku,amount\nA1,2\nB2,"1,5"\nC3,7\n')
    return path


class Someone(User):
    abstract = True


def begun(rows: Rows) -> tuple[Rows, Someone, Someone]:
    environment = Environment()
    environment.create_local_runner()
    rows._init(environment)
    rows._test_start()
    return rows, Someone(environment), Someone(environment)


def test_csv_and_json_lines_are_read(data: Path, tmp_path: Path) -> None:
    assert list(read_rows(data))[1] == {"sku": "B2", "amount": "1,5"}
    lines = tmp_path / "rows.jsonl"
    lines.write_text('{"sku": "A1", "tags": [1, 2]}\n\n{"sku": "B2"}\n')
    assert list(read_rows(lines)) == [{"sku": "A1", "tags": [1, 2]}, {"sku": "B2"}]


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.csv", "", "has no row"),
        ("a.csv", "sku,amount\n", "has no row"),
        ("a.csv", "sku,sku\n1,2\n", "an empty name or the same name twice"),
        ("a.csv", "sku,amount\n1\n", r"line 2 has 1 columns, but the header has 2"),
        ("a.csv", 'sku\n"open\n', "is not a CSV file"),
        ("a.jsonl", '{"a": 1}\n{"a": \n', "line 2: "),
        ("a.jsonl", "[1]\n", "line 1 is not a JSON object"),
        ("absent.csv", None, "can't be read: No such file"),
    ],
)
def test_a_fault_is_one_sentence_with_its_line(
    tmp_path: Path, name: str, text: str | None, words: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(UsageError, match=f"{name}.*{words}"):
        list(read_rows(tmp_path / name))


def test_each_row_once_and_then_the_user_stops(data: Path) -> None:
    rows, one, other = begun(Rows(data, hand_out="once"))
    assert [rows.next(user)["sku"] for user in (one, other, one)] == ["A1", "B2", "C3"]
    for user in (one, other):
        with pytest.raises(StopUser):
            rows.next(user)


def test_in_turn_over_all_users_and_from_the_first_again(data: Path) -> None:
    rows, one, other = begun(Rows(data))
    taken = [rows.next(user)["sku"] for user in (one, other, one, other)]
    assert taken == ["A1", "B2", "C3", "A1"]


def test_a_user_has_its_own_row_until_it_gives_it_back(data: Path) -> None:
    rows, one, other = begun(Rows(data, hand_out="own"))
    mine = rows.next(one)
    assert rows.next(one) == mine != rows.next(other)
    mine["sku"] = "changed"
    assert rows.next(one)["sku"] == "A1"
    third, fourth = Someone(one.environment), Someone(one.environment)
    rows.next(third)
    with pytest.raises(StopUser):
        rows.next(fourth)
    rows.give_back(one)
    assert rows.next(fourth)["sku"] == "A1"


def test_random_rows_follow_the_seed(data: Path) -> None:
    drawn = []
    for seed in (1, 1, 2):
        rows, one, _ = begun(Rows(data, hand_out="random", seed=seed))
        drawn.append([rows.next(one)["sku"] for _ in range(30)])
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_path_is_relative_to_the_locustfile(tmp_path: Path, data: Path) -> None:
    locustfile = tmp_path / "mine_of_rows.py"
    locustfile.write_text("from loadgen.scenario import Rows\nrows = Rows('rows.csv')\n")
    sys.path.insert(0, str(tmp_path))
    try:
        module = __import__("mine_of_rows")
    finally:
        sys.path.remove(str(tmp_path))
    assert module.rows.path == data


@pytest.mark.parametrize("field", ["hand_out", "at_end"])
def test_a_choice_that_is_none_is_refused(data: Path, field: str) -> None:
    with pytest.raises(UsageError, match=f"{field} is 'twice': give "):
        Rows(data, **{field: "twice"})  # type: ignore[arg-type]


def test_the_test_stops_when_no_worker_with_users_has_a_row_left(data: Path) -> None:
    rows = Rows(data, hand_out="once", at_end="stop_test")
    stops: list[str] = []
    clients = [SimpleNamespace(id=name, user_count=n) for name, n in (("a", 2), ("b", 1), ("c", 0))]
    master = SimpleNamespace(
        clients=SimpleNamespace(all=clients), stop=lambda: stops.append("stop")
    )
    rows._master = cast(MasterRunner, master)
    for name, stopped in (("a", []), ("a", []), ("b", ["stop"])):
        rows._worker_is_over(SimpleNamespace(node_id=name, data={}))
        assert stops == [], "not in the greenlet that hears the workers"
        gevent.sleep(0)
        assert stops == stopped
