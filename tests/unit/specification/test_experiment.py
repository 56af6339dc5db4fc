import json
import re
from pathlib import Path

import pytest
from pydantic import ValidationError

from loadgen.shared.errors import UsageError
from loadgen.specification.experiment import Experiment, load_experiment, schema

PROJECT = Path(__file__).parents[3]
EXPERIMENTS = sorted((PROJECT / "experiments").glob("*.yml"))


def write(directory: Path, text: str) -> Path:
    path = directory / "experiment.yml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: path.stem)
def test_every_experiment_of_ours_is_sound(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    experiment = load_experiment(path, {})
    assert experiment.description
    assert all((PROJECT / file).is_file() for file in experiment.locustfiles)


def test_the_committed_schema_is_the_models() -> None:
    assert (PROJECT / "docs" / "experiment.schema.json").read_text() == schema(), (
        "run `make docs/experiment.schema.json`"
    )


def test_options_win_over_the_files_fields(tmp_path: Path) -> None:
    path = write(tmp_path, "users: 100\nrun_time: 5m\n")
    experiment = load_experiment(path, {"users": "5"})
    assert (experiment.users, experiment.run_time) == (5, 300)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("users: ten", "users 'ten': "),
        ("users: -1", "users -1: it must be at least 1"),
        ("userz: 1", "userz 1: there is no such field"),
        ("run_time: 5 bananas", "run_time '5 bananas': give a duration such as 30s"),
        ("slos: [{measure: p95_seconds}]", "slos.0: give exactly one of at_most and at_least"),
        (
            "slos: [{measure: p95_seconds, at_most: 1, tag: x}]",
            "list the request names of this tag in request_tags",
        ),
        ("sweep: {color: [red]}", "the sweep varies color, but a run has no such field"),
        ("sweep: {users: []}", "sweep over users has no values"),
        ("sweep: {users: [1, ten]}", "users 'ten': "),
        ("search: {}\nrepetitions: 3", "a search repeats its own runs"),
        ("data: [absent.csv]", "needs absent.csv, which is not there"),
        (f"sweep: {{users: {list(range(1, 1200))}}}", "at most 1,000 are allowed"),
        ("before: ['']", "before.0 ''"),
    ],
)
def test_a_fault_names_field_value_and_rule(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_experiment(write(tmp_path, text), {})
    assert fault.lower() in str(caught.value).lower()


def test_a_cell_sets_fields_and_variables() -> None:
    experiment = Experiment.model_validate({"environment": {"A": "1"}, "repetitions": 2})
    run = experiment.specification({"users": 7, "environment.B": 2})
    assert run.users == 7
    assert run.environment == {"A": "1", "B": "2"}
    assert experiment.is_series
    with pytest.raises(ValidationError):
        experiment.specification({"users": 0})


def test_nodes_get_rate_variables_and_secrets() -> None:
    experiment = Experiment.model_validate(
        {"environment": {"A": "1"}, "secrets": ["TOKEN"], "arrival_rate": 12.5}
    )
    assert experiment.node_environment({"TOKEN": "s3cret", "OTHER": "x"}) == {
        "ARRIVAL_RATE": "12.5",
        "A": "1",
        "TOKEN": "s3cret",
    }
    assert "s3cret" not in experiment.model_dump_json()
    with pytest.raises(UsageError, match="TOKEN is to be passed to the run"):
        experiment.node_environment({})


def test_commands_are_split_without_a_shell() -> None:
    experiment = Experiment.model_validate({"before": ["reset --name 'a b'", ["x", "$y"]]})
    assert experiment.before == (("reset", "--name", "a b"), ("x", "$y"))


def test_a_search_that_starts_above_its_end_is_refused() -> None:
    with pytest.raises(ValidationError, match="`start` is 100 and `most` is 10"):
        Experiment.model_validate({"search": {"start": 100, "most": 10}})


def test_the_editors_schema_describes_every_field_and_knows_the_measures() -> None:
    document = json.loads(schema())
    parts = {"Experiment": document, **document["$defs"]}
    bare = [
        f"{part}.{name}"
        for part in parts
        for name, field in parts[part].get("properties", {}).items()
        if not field.get("description")
    ]
    assert bare == []
    pattern = re.compile(document["$defs"]["Slo"]["properties"]["measure"]["pattern"])
    assert pattern.match("p99.9_seconds")
    assert pattern.match("failure_ratio")
    assert not pattern.match("p95")
    assert not pattern.match("failure_rate")
    assert document["properties"]["run_time"]["anyOf"][0]["minimum"] == 1
