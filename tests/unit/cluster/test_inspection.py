"""Locustfiles are looked at as plain Locust would load them, before anything starts."""

import os
from pathlib import Path

import pytest

from loadgen.cluster.inspection import look_at
from loadgen.cluster.scenario import find_scenario
from loadgen.node.locustfile_check import Inspection
from loadgen.shared.errors import UsageError

USER = """
from locust import HttpUser, task

class {name}(HttpUser):
    @task
    def a(self):
        self.client.get("/")
"""


def _look(*paths: Path) -> Inspection:
    return look_at(find_scenario([str(path) for path in paths]).paths, os.environ)


def test_one_class_name_in_two_files_is_refused_and_one_imported_is_not(tmp_path: Path) -> None:
    first, second, third = (tmp_path / f"{name}.py" for name in ("first", "second", "third"))
    first.write_text(USER.format(name="Visitor"))
    second.write_text(USER.format(name="Visitor"))
    third.write_text("from first import Visitor\n" + USER.format(name="Other"))
    error = _look(first, second).error
    assert error
    assert error.startswith(f"Visitor is defined in both {first} and {second}")
    found = _look(first, third)
    assert (found.error, sorted(found.user_classes)) == (None, ["Other", "Visitor"])


def test_functions_of_pytests_form_are_users(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def test_start(session):\n    session.get('/')\n")
    found = _look(file)
    assert (found.error, list(found.user_classes)) == (None, ["test_start"])


def test_a_file_without_either_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("x = 1\n")
    assert "holds no User class" in str(_look(file).error)


def test_a_directory_stands_for_its_files(tmp_path: Path) -> None:
    (tmp_path / "all" / "deep").mkdir(parents=True)
    for name in ("b.py", "deep/a.py", "_helper.py", "notes.txt"):
        (tmp_path / "all" / name).write_text(USER.format(name="U" + name[0].upper()))
    found = find_scenario([str(tmp_path / "all")]).locustfiles
    assert found == ("b.py", "deep/a.py")
    assert sorted(_look(tmp_path / "all").user_classes) == ["UB", "UD"]


@pytest.mark.parametrize("name", ["missing.py", "empty"])
def test_what_is_no_locustfile_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=name):
        find_scenario([str(tmp_path / name)])
