"""Locustfiles are looked at as plain Locust would load them, before anything starts."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
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

    def found(*paths: Path, options: Sequence[str] | None = None) -> Inspection:
        scenario = find_scenario([str(path) for path in paths])
        return look_from(nursery.start, scenario.paths, os.environ, None, options)

    yield found
    nursery.kill()


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("import locust\ndef broken(:\n", "SyntaxError: invalid syntax"),
        ("x = 1\n", "it contains no User class"),
        ("import does_not_exist\n", "it imports does_not_exist, which was not found"),
        (
            "from locustfiles.clients.http import FastUser\n",
            "it imports locustfiles.clients.http, which is loadgen.scenario.http since 0.2.0: write"
            " `from loadgen.scenario import FastUser`",
        ),
        (
            "from locustfiles.clients.extractors import Field, Header, Json, Link, Location\n",
            "which is loadgen.scenario.extractors since 0.2.0: write `from loadgen.scenario import"
            " Field, Header, Json, Link, Location`",
        ),
        (
            "from locustfiles.clients.dspace import DSpace\n",
            "which is locustfiles.dspace_client since 0.2.0: write `from locustfiles.dspace_client",
        ),
        (
            "from locustfiles.shapes.rates import RecordedRate\n",
            "which is loadgen.scenario.shapes.rates since 0.2.0: write `from loadgen.scenario",
        ),
        (
            "import locustfiles.clients.recorded as recorded\n",
            "which is loadgen.scenario.recorded since 0.2.0: write `from",
        ),
        ("import operations.errors\n", "which is inside loadgen since 0.2.0"),
        ("import sys\nsys.exit(0)\n", "SystemExit: 0"),
        ("import sys\nsys.exit()\n", "it ends the process that imports it (SystemExit"),
        ("input('Token: ')\n", "it asks for input (EOFError: EOF when reading a line), but"),
        ("raise KeyboardInterrupt\n", "KeyboardInterrupt ("),
        ("import os\nos._exit(0)\n", "ended the process"),
        (
            "import os\nos.environ['NOT_SET_HERE']\n",
            "it reads the environment variable NOT_SET_HERE",
        ),
        ("open('not-there.csv')\n", "not-there.csv was not found"),
        ("raise RuntimeError('no luck')\n", "RuntimeError: no luck"),
        ("raise RuntimeError('no\\nluck')\n", "RuntimeError: no luck"),
        (
            "class Odd(Exception):\n    def __str__(self): return 5\nraise Odd\n",
            "Odd: its source can't be read",
        ),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    look: Look, tmp_path: Path, source: str, sentence: str
) -> None:
    file = tmp_path / "bad.py"
    file.write_text(source)
    assert sentence in str(look(file).error)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("weight = '3'", "the weight of Visitor is '3', but it must be a number"),
        ("weight = float('nan')", "the weight of Visitor is nan, but it must be a number"),
        ("fixed_count = 1.5", "the fixed_count of Visitor is 1.5, but it must be a whole number"),
        ("host = ['http://a', 'http://b']", "the host of Visitor is ['http://a', 'http://b'], but"),
        ("host = b'http://a'", "the host of Visitor is b'http://a', but it must be a text"),
    ],
)
def test_an_attribute_with_which_locust_would_fail_is_one_sentence(
    look: Look, tmp_path: Path, line: str, sentence: str
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(USER.format(name="Visitor") + f"    {line}\n")
    assert str(look(file).error).startswith(sentence)


@pytest.mark.parametrize(
    "ending",
    [
        "    host = property(lambda self: 'http://a')\n",
        "    weight = __import__('fractions').Fraction(1, 2)\n",
        "SIMULATOR = True\n",
        "from locust import TaskSet\nclass A(TaskSet): pass\nA.tasks = [A]\n"
        "Visitor.tasks.append(A)\n",
    ],
)
def test_what_plain_locust_can_use_is_used(look: Look, tmp_path: Path, ending: str) -> None:
    file = tmp_path / "mine.py"
    file.write_text(USER.format(name="Visitor") + ending)
    found = look(file)
    assert (found.error, found.user_classes, found.idle) == (None, {"Visitor": None}, [])


def test_classes_of_which_no_user_starts_are_told(look: Look, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    weights = ("    weight = 0\n", "    weight = 0\n    fixed_count = 1\n", "    weight = -1\n")
    users = [USER.format(name=f"U{at}") + weight for at, weight in enumerate(weights)]
    file.write_text("".join(users))
    assert look(file).idle == ["U0", "U2"]


@pytest.mark.parametrize(
    "ending",
    [
        "import atexit\natexit.register(print, 'bye')\n",
        "import sys\nsys.stdout.close()\n",
        "import os\nos.close(1)\n",
        "import io, sys\nsys.stdout = io.StringIO()\n",
        "print('{}', end='')\n",
        "print('x' * 5_000_000)\n",
        "import subprocess\nsubprocess.Popen(['sleep', '60'])\n",
        "import threading, time\nthreading.Thread(target=time.sleep, args=[60]).start()\n",
    ],
)
def test_what_a_locustfile_writes_or_leaves_running_hides_no_answer(
    look: Look, tmp_path: Path, ending: str
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(USER.format(name="Visitor") + ending)
    began = time.monotonic()
    found = look(file)
    assert (found.error, list(found.user_classes)) == (None, ["Visitor"])
    assert time.monotonic() - began < 20


ADDS = """
from locust import events

@events.init_command_line_parser.add_listener
def add(parser):
    parser.add_argument({})
"""


@pytest.mark.parametrize(
    ("argument", "options", "sentence"),
    [
        ("'--key', required=True", [], "the following arguments are required: --key"),
        ("'--key', type=int", ["--key", "x"], "argument --key: invalid int value: 'x'"),
        ("'--key', choices=['a']", ["--key", "b"], "invalid choice: 'b'"),
        ("'--key'", ["--kee", "b"], "unrecognized arguments: --kee Did you mean '--key'"),
        ("'--host'", [], "conflicting option string: --host (/"),
        ("'--key', odd=1", [], "it can't add its options: TypeError"),
        ("'--key'", ["--show-task-ratio-json", "--help"], "prints something and ends Locust"),
        ("'--key'", ["Vistor"], "it has no User class Vistor: its User classes are Visitor"),
        ("'--key'", ["--key", "b", "Visitor"], None),
        ("'--key'", ["--list"], "an option of --list prints something and ends Locust"),
        ("'--key'", ["--show-task-ratio"], "prints something and ends Locust"),
        (
            "'--key'",
            ["--tag", "x"],
            "--tag is an abbreviation of --tags: give the whole name of the option",
        ),
        (
            "'--key'",
            ["--run-t=5s"],
            "--run-t is an abbreviation of --run-time: give the whole name of the option",
        ),
        ("'--run-t'", ["--run-t=5s"], None),
        ("'--key'", ["--key", "--"], "expected one argument"),
        ("'--key', required=True", ["--key", "b"], None),
        ("'--key', choices=['a']", ["--key=a"], None),
    ],
)
def test_options_that_locust_will_refuse_are_refused_before_the_start(
    look: Look, tmp_path: Path, argument: str, options: list[str], sentence: str | None
) -> None:
    file = tmp_path / "mine.py"
    file.write_text(USER.format(name="Visitor") + ADDS.format(argument))
    error = look(file, options=options).error
    assert error is None if sentence is None else sentence in str(error)


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
