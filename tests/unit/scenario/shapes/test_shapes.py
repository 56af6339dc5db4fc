"""The shapes, as Locust finds and asks them."""

from argparse import Namespace
from pathlib import Path

import pytest
from locust.argument_parser import get_parser
from locust.env import Environment
from locust.util.load_locustfile import load_locustfile

from loadgen.scenario.shapes.base import PlannedShape

SHAPES = Path(__file__).parents[4] / "locustfiles" / "shapes"
NAMES = {
    "steps": "StepsShape",
    "spike": "SpikeShape",
    "soak": "SoakShape",
    "recorded": "RecordedShape",
    "week": "WeekShape",
    "arrival": "ArrivalShape",
}


def _shape(name: str) -> PlannedShape:
    users, shapes = load_locustfile(str(SHAPES / f"{name}.py"))
    assert users == {}
    (shape,) = shapes
    assert isinstance(shape, PlannedShape)
    return shape


def _started(name: str, *arguments: str) -> PlannedShape:
    shape = _shape(name)
    options = get_parser().parse_args([*arguments])
    environment = Environment(parsed_options=options)
    shape.runner = environment.create_local_runner()
    shape.reset_time()
    return shape


@pytest.mark.parametrize("name", NAMES)
def test_file_given_as_locustfile_brings_one_shape_and_no_user(name: str) -> None:
    assert type(_shape(name)).__name__ == NAMES[name]


@pytest.mark.parametrize(
    ("name", "arguments", "tick"),
    [
        ("steps", ["--step-users", "7,9", "--spawn-rate", "3"], (7, 3)),
        ("spike", ["--users", "4", "--spike-users", "40"], (4, 100)),
        ("soak", ["--users", "10", "--run-time", "60s", "--soak-ramp", "0s"], (10, 10)),
        ("week", [], (11, 11)),
        ("arrival", ["--arrival-rate", "5"], (1, 100)),
    ],
)
def test_options_make_the_plan(name: str, arguments: list[str], tick: tuple[int, float]) -> None:
    if name == "week":
        tick = (int(44_466 * 0.9 * 0.25 / 3600) + 1,) * 2
    assert _started(name, *arguments).tick() == tick


def test_recording_is_followed(tmp_path: Path) -> None:
    path = tmp_path / "profile.csv"
    path.write_text("time,rps\n0,30\n60,30\n")
    arguments = ["--rate-file", str(path), "--rate-per-user", "2"]
    assert _started("recorded", *arguments).tick() == (15, 15)


def test_recording_of_the_release_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, option in (("recorded", "--rate-file"), ("arrival", "--arrival-file")):
        shape = _started(name, option, "experiments/profiles/teastore-low.csv")
        assert shape.tick() is not None


def test_options_come_from_the_environment_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEP_USERS", "8")
    assert _started("steps").tick() == (8, 100)


def test_run_time_ends_every_shape() -> None:
    shape = _started("spike", "--run-time", "10s")
    shape.start_time -= 11
    assert shape.tick() is None


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [
        ("steps", ["--step-users", "ten"], "--step-users is 'ten'"),
        ("steps", ["--step-time", "0s"], "must be above 0"),
        ("spike", ["--spike-users", "-1"], "must be 0 or more"),
        ("soak", [], "--run-time is not given"),
        ("soak", ["--run-time", "9m"], "at least two ramps"),
        ("recorded", [], "--rate-file is not given"),
        ("recorded", ["--rate-file", "/nowhere.csv"], "can't be read"),
        ("week", ["--rate-speed", "0"], "both must be above 0"),
        ("arrival", ["--arrival-rate", "0"], "must be above 0"),
    ],
)
def test_plan_that_can_not_be_made_ends_the_test_with_a_sentence(
    name: str, arguments: list[str], sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    shape = _started(name, *arguments)
    assert shape.tick() is None
    assert sentence in caplog.text
    assert "Traceback" not in caplog.text
    assert shape.runner is not None
    assert shape.runner.environment.process_exit_code == 2


def test_arrival_tells_the_generators_how_many_they_are() -> None:
    shape = _started("arrival")
    shape.tick()
    assert shape.runner is not None
    options = shape.runner.environment.parsed_options
    assert isinstance(options, Namespace)
    assert options.arrival_generators == 1
    assert 0 <= options.arrival_elapsed_seconds < 10
