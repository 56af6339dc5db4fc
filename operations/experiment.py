"""Experiment files: a load test that another person can repeat.

A file under `experiments/` holds the fields of a `RunSpecification` and those below, which say how
often and with what variation it runs. The command line's options win over the file's fields.
`docs/experiment.schema.json` is this model as JSON Schema, for editors.
"""

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, JsonValue, ValidationError, model_validator

from operations.errors import UsageError
from operations.search import SearchSettings
from operations.specification import Duration, RunSpecification
from operations.sweep import Cell, plan_cells
from operations.yaml_files import load_mapping

RUNS_MAX = 1000


def _split_command(value: object) -> object:
    return shlex.split(value) if isinstance(value, str) else value


Command = Annotated[tuple[str, ...], BeforeValidator(_split_command), Field(min_length=1)]


class Experiment(RunSpecification):
    """A run specification, and how it is varied, repeated and prepared.

    `before` and `after` are commands (no shell) around every run, to reset the target for
    example; they see LOADGEN_RUN_ID and LOADGEN_HOST. `data` names files that have to be there.
    `sweep` maps fields to lists of values; `rest` is the time between runs. `search` looks for the
    capacity instead.
    """

    description: str = ""
    data: tuple[Path, ...] = ()
    before: tuple[Command, ...] = ()
    after: tuple[Command, ...] = ()
    repetitions: int = Field(default=1, ge=1, le=100)
    rest: Duration = Field(default=0, ge=0, le=86400)
    sweep: dict[str, tuple[JsonValue, ...]] = Field(default_factory=dict)
    search: SearchSettings | None = None

    @model_validator(mode="after")
    def _variation_is_clear(self) -> Self:
        if self.search and (self.sweep or self.repetitions > 1):
            raise ValueError("search repeats by itself: give it without sweep and repetitions")
        for field, values in self.sweep.items():
            if field.partition(".")[0] not in RunSpecification.model_fields:
                raise ValueError(f"sweep over {field}, which is no field of a run")
            if not values:
                raise ValueError(f"sweep over {field} has no values")
        return self

    @property
    def is_series(self) -> bool:
        """Whether it is more than one run."""
        return bool(self.sweep or self.search) or self.repetitions > 1

    def cells(self) -> list[Cell]:
        """Return the runs of a sweep or of repetitions. UsageError for more than 1,000."""
        # Counted before they are made: twenty fields of ten values would never end.
        count = math.prod(map(len, self.sweep.values())) * self.repetitions
        if count > RUNS_MAX:
            raise UsageError(
                f"the sweep has {count:,} runs, {RUNS_MAX:,} are the most: list fewer values"
            )
        return plan_cells(self.sweep, self.repetitions)

    def specification(self, fields: Mapping[str, JsonValue]) -> RunSpecification:
        """Return one run of it, with some fields set. ValidationError when one can't be used.

        A field `environment.NAME` sets one variable.
        """
        # What nobody gave must stay so: a load shape gets no defaults.
        own = self.model_dump(include=set(RunSpecification.model_fields), exclude_unset=True)
        for field, value in fields.items():
            name, _, key = field.partition(".")
            own[name] = {**own.get(name, {}), key: str(value)} if key else value
        return RunSpecification.model_validate(own)


def load_experiment(path: Path, options: Mapping[str, Any]) -> Experiment:
    """Read an experiment file; `options` win over its fields.

    UsageError names each wrong field, its value and the rule, and every run of a sweep is checked
    before the first begins.
    """
    fields = {**load_mapping(path), **options}
    try:
        experiment = Experiment.model_validate(fields)
        for cell in experiment.cells():
            experiment.specification(cell.fields)
    except ValidationError as error:
        faults = [_describe(fault["loc"], fault["input"], fault["msg"]) for fault in error.errors()]
        raise UsageError("\n".join([f"{path} can't be used:", *faults])) from error
    missing = [str(file) for file in experiment.data if not file.exists()]
    if missing:
        raise UsageError(
            f"{path} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} not "
            "there: run it from the directory that has the files named under data"
        )
    return experiment


def _describe(place: Sequence[int | str], value: object, rule: str) -> str:
    field = ".".join(map(str, place))
    rule = rule.removeprefix("Value error, ")
    shown = f" {value!r}" if isinstance(value, str | int | float) and field else ""
    return f"  {field}{shown}: {rule[0].lower() + rule[1:]}" if field else f"  {rule}"


def schema() -> str:
    """Return docs/experiment.schema.json."""
    document = Experiment.model_json_schema()
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}
    document["properties"].update({name: _duration() for name in _durations()})
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _durations() -> list[str]:
    return ["run_time", "stop_timeout", "warm_up", "rest"]


def _duration() -> dict[str, object]:
    text = {"type": "string", "pattern": "^(\\d+h)?(\\d+m)?(\\d+s?)?$"}
    return {"anyOf": [{"type": "number"}, text], "examples": ["30s", "5m", "1h30m"]}
