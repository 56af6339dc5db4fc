"""Experiment files: a load test that another person can repeat.

A file under `experiments/` holds the fields of a `RunSpecification` and those below, which say how
often and with what variation it runs. The command line's options win over the file's fields.
`docs/experiment.schema.json` is this model as JSON Schema, for editors.
"""

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    ValidationError,
    model_validator,
)

from loadgen.shared.errors import UsageError
from loadgen.specification.durations import Duration
from loadgen.specification.faults import plain_rule
from loadgen.specification.run import RunSpecification, specify_as
from loadgen.specification.yaml_files import load_mapping


class SearchSettings(BaseModel):
    """How to search. `over` is the field that is varied; `resolution_ratio` the interval's width.

    `most` bounds the search. `compare_published` runs the alarm study's rule too: fixed steps of
    `published_step`, one trial a load, the first that breaks an SLO ends it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    over: Literal["users", "arrival_rate"] = "users"
    """What is searched: users, or arrival_rate of an open model."""
    start: int = Field(default=1, ge=1)
    """The first load that is tried."""
    most: int = Field(default=10_000, ge=1)
    """The highest load that is tried."""
    resolution_ratio: float = Field(default=0.05, gt=0, le=0.5)
    """The interval's width, as a share of its upper end."""
    confidence: float = Field(default=0.95, ge=0.5, le=0.9999)
    """How surely each decision is right."""
    trial_error_ratio: float = Field(default=0.1, gt=0, lt=0.5)
    """How often a single trial may judge wrongly."""
    trials_per_decision_max: int = Field(default=15, ge=1, le=101)
    """The most trials at one load for one decision."""
    trials_max: int = Field(default=200, ge=1)
    """The most trials of the whole search."""
    compare_published: bool = False
    """Run the alarm study's rule too, for comparison."""
    published_step: int = Field(default=10, ge=1)
    """That rule's step."""

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        if self.start > self.most:
            raise ValueError(
                f"`start` is {self.start} and `most` is {self.most}: the search goes up "
                f"from `start` to at most `most`, so `start` must be lower than `most`"
            )
        return self


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a sweep: its fields' values, and which repetition of them it is (from 1)."""

    step: int
    fields: dict[str, JsonValue]
    repetition: int

    @property
    def text(self) -> str:
        """The cell in words: "users=10 workers=2, repetition 3"."""
        values = " ".join(f"{name}={value}" for name, value in self.fields.items())
        return ", ".join(filter(None, (values, f"repetition {self.repetition}")))


def plan_cells(sweep: Mapping[str, Sequence[JsonValue]], repetitions: int) -> list[Cell]:
    """Return the runs in order: the last field changes fastest, repetitions follow each other."""
    combinations = itertools.product(*sweep.values())
    fields = [dict(zip(sweep, values, strict=True)) for values in combinations]
    pairs = itertools.product(fields, range(1, repetitions + 1))
    return [Cell(step, values, number) for step, (values, number) in enumerate(pairs)]


RUNS_MAX = 1000


class Experiment(RunSpecification):
    """A run specification, and how it is varied and repeated.

    `data` names files that have to be there. `sweep` maps fields to lists of values; `rest` is the
    time between runs. `search` looks for the capacity instead.
    """

    data: tuple[Path, ...] = ()
    """Files that the run needs."""
    repetitions: int = Field(default=1, ge=1, le=100)
    """How often each run is repeated."""
    rest: Duration = Field(default=0, ge=0, le=86400)
    """Time between runs."""
    sweep: dict[str, tuple[JsonValue, ...]] = Field(default_factory=dict)
    """Fields and the values that they take: every combination is run."""
    search: SearchSettings | None = None
    """Search the highest load that holds every SLO, instead of one run."""

    @model_validator(mode="after")
    def _variation_is_clear(self) -> Self:
        if self.search and (self.sweep or self.repetitions > 1):
            raise ValueError("a search repeats its own runs: leave out sweep and repetitions")
        for field, values in self.sweep.items():
            if field.partition(".")[0] not in RunSpecification.model_fields:
                raise ValueError(f"the sweep varies {field}, but a run has no such field")
            if not values:
                raise ValueError(f"the sweep over {field} has no values: give at least one")
        return self

    @property
    def is_series(self) -> bool:
        """Whether it is more than one run."""
        return bool(self.sweep or self.search) or self.repetitions > 1

    def cells(self) -> list[Cell]:
        """Return the runs of a sweep or of repetitions. UsageError for more than 1,000."""
        # The combinations are counted before they are made: twenty fields with ten values each
        # would never end.
        count = math.prod(map(len, self.sweep.values())) * self.repetitions
        if count > RUNS_MAX:
            raise UsageError(
                f"the sweep has {count:,} runs, but at most {RUNS_MAX:,} are allowed:"
                f" list fewer values"
            )
        return plan_cells(self.sweep, self.repetitions)

    def specification(self, fields: Mapping[str, JsonValue]) -> RunSpecification:
        """Return one run of it, with some fields set. ValidationError when one can't be used.

        A field `environment.NAME` sets one variable.
        """
        # Fields that were not given stay unset, because a load shape gets no defaults.
        own = self.model_dump(include=set(RunSpecification.model_fields), exclude_unset=True)
        for field, value in fields.items():
            name, _, key = field.partition(".")
            own[name] = {**own.get(name, {}), key: str(value)} if key else value
        return RunSpecification.model_validate(own)


def load_experiment(
    path: Path, options: Mapping[str, Any], defaults: Mapping[str, Any] = MappingProxyType({})
) -> Experiment:
    """Read an experiment file; `options` win over its fields, which win over `defaults`.

    UsageError names each wrong field, its value and the rule, and every run of a sweep is checked
    before the first begins.
    """
    own = load_mapping(path)
    fields = {**defaults, **own, **options}
    if isinstance(own.get("environment"), dict):
        asked = set(options.get("secrets", ()))
        kept = {name: value for name, value in own["environment"].items() if name not in asked}
        fields["environment"] = {**kept, **options.get("environment", {})}
    if isinstance(own.get("secrets"), list | tuple):
        fields["secrets"] = [*own["secrets"], *options.get("secrets", ())]
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
            f"{path} needs {', '.join(missing)}, which {'is' if len(missing) == 1 else 'are'} "
            f"not there: run the experiment from the directory that contains the files "
            f"listed under data"
        )
    return experiment


def make_experiment(fields: Mapping[str, Any]) -> Experiment:
    """Return an experiment of fields that no file holds; UsageError names each wrong one."""
    return specify_as(Experiment, fields)


def _describe(place: Sequence[int | str], value: object, rule: str) -> str:
    field = ".".join(map(str, place))
    rule = plain_rule(rule)
    shown = f" {value!r}" if isinstance(value, str | int | float) and field else ""
    return f"  {field}{shown}: {rule}" if field else f"  {rule}"


def schema() -> str:
    """Return docs/experiment.schema.json."""
    document = Experiment.model_json_schema()
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}
    for name in _durations():
        field = document["properties"][name]
        field.pop("type", None)
        kept = {key: field[key] for key in ("description", "default", "title") if key in field}
        document["properties"][name] = {**kept, **_duration(field)}
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _durations() -> list[str]:
    return ["run_time", "stop_timeout", "warm_up", "rest"]


def _duration(field: Mapping[str, object]) -> dict[str, object]:
    """Return a duration's type: seconds within the field's bounds, or text."""
    bounds = {key: field[key] for key in ("minimum", "maximum") if key in field}
    text = {"type": "string", "pattern": "^(\\d+|(\\d+h)?(\\d+m)?(\\d+s)?)$"}
    number = {"type": "number", **bounds}
    return {"anyOf": [number, text], "examples": ["30s", "5m", "1h30m"]}
