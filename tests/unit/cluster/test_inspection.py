"""Locustfiles are looked at as plain Locust would load them, before anything starts."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from loadgen.cluster.inspection import look_from
from loadgen.cluster.nursery import Nursery
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


Look = Callable[..., Inspection]


@pytest.fixture(scope="module")
def look(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Look]:
    """Look at locustfiles, all by processes that one import of Locust serves."""
    nursery = Nursery(tmp_path_factory.mktemp("nursery") / "log")

    def found(*paths: Path) -> Inspection:
        scenario = find_scenario([str(path) for path in paths])
        return look_from(nursery.start, scenario.paths, os.environ, None)

    yield found
    nursery.kill()


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("import locust\ndef broken(:\n", "SyntaxError: invalid syntax"),
        ("x = 1\n", "it holds no User class"),
        ("import does_not_exist\n", "it imports does_not_exist, which isn't there"),
        ("import sys\nsys.exit(0)\n", "SystemExit: 0"),
        ("import os\nos._exit(0)\n", "ended the process"),
        ("import os\nos.environ['NOT_SET_HERE']\n", "it looks for NOT_SET_HERE"),
        ("open('not-there.csv')\n", "not-there.csv isn't there"),
        ("raise RuntimeError('no luck')\n", "RuntimeError: no luck"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    look: Look, tmp_path: Path, source: str, sentence: str
) -> None:
    file = tmp_path / "bad.py"
    file.write_text(source)
    assert sentence in str(look(file).error)


def test_one_class_name_in_two_files_is_refused_and_one_imported_is_not(
    look: Look, tmp_path: Path
) -> None:
    first, second, third = (tmp_path / f"{name}.py" for name in ("first", "second", "third"))
    first.write_text(USER.format(name="Visitor"))
    second.write_text(USER.format(name="Visitor"))
    third.write_text("from first import Visitor\n" + USER.format(name="Other"))
    error = look(first, second).error
    assert error
    assert error.startswith(f"Visitor is defined in both {first} and {second}")
    found = look(first, third)
    assert (found.error, sorted(found.user_classes)) == (None, ["Other", "Visitor"])


def test_functions_of_pytests_form_are_users(look: Look, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("def test_start(session):\n    session.get('/')\n")
    found = look(file)
    assert (found.error, list(found.user_classes)) == (None, ["test_start"])


def test_a_directory_stands_for_its_files(look: Look, tmp_path: Path) -> None:
    (tmp_path / "all" / "deep").mkdir(parents=True)
    for name in ("b.py", "deep/a.py", "_helper.py", "notes.txt"):
        (tmp_path / "all" / name).write_text(USER.format(name="U" + name[0].upper()))
    found = find_scenario([str(tmp_path / "all")]).locustfiles
    assert found == ("b.py", "deep/a.py")
    assert sorted(look(tmp_path / "all").user_classes) == ["UB", "UD"]


@pytest.mark.parametrize("name", ["missing.py", "empty"])
def test_what_is_no_locustfile_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=name):
        find_scenario([str(tmp_path / name)])
