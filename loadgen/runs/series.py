"""A series of runs: repetitions, a sweep or a capacity search, resumable at every step.

    results/<series_id>/ experiment.json   the experiment as checked
                         journal.jsonl     what was begun and what is done
                         table.csv, sweep.svg …        of a sweep
                         capacity.json, capacity.svg … of a search

Each run has its own directory beside it. Effects come in as functions, so that the same series runs
on this machine, on a fleet, or against numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from loadgen.judging.check import NOTE
from loadgen.judging.verdict import EXIT_CODES, Verdict
from loadgen.results.archive import defuse
from loadgen.results.journal import JOURNAL_FILE, Journal
from loadgen.results.summary import Summary, load_summary
from loadgen.runs.capacity_search import Capacity, TrialOutcome, find_capacity, with_curve
from loadgen.runs.sweep import Value, row, write_csv
from loadgen.shared.errors import UsageError
from loadgen.shared.files import read_document, write_text
from loadgen.shared.run_ids import SUMMARY_FILE, make_run_id, run_directory
from loadgen.specification.experiment import Experiment, SearchSettings
from loadgen.specification.run import RunSpecification

EXPERIMENT_FILE = "experiment.json"
CAPACITY_FILE = "capacity.json"
TABLE_FILE = "table.csv"
SATURATION = {"generator_cpu", "exhausted", "arrival_rate"}
# What also happens to a generator without CPU; alone it may have any other cause.
OF_SATURATION = {"generator_stall"}
# What made a trial unusable may pass, such as another program that kept the machine busy.
UNUSABLE_REST_SECONDS = 10.0
_SEVERITY: tuple[Verdict, ...] = ("passed", "failed", "invalid", "error", "interrupted")


class Interrupted(Exception):  # noqa: N818  a state, not a fault
    """The user ended the series; what is done stays done."""


@dataclass
class Series:
    """A series in its directory under `results`.

    `make_run(specification, run_id)` carries out one run; `rest(seconds)` waits between runs and
    returns False when the user ended the series; `say` tells what happens next.
    """

    experiment: Experiment
    directory: Path
    make_run: Callable[[RunSpecification, str], Summary]
    rest: Callable[[float], bool]
    say: Callable[[str], None]

    def __post_init__(self) -> None:
        self._journal = Journal(self.directory / JOURNAL_FILE, self._find_summary)
        self._name = self.directory.name
        self._ran = False

    def _find_summary(self, run_id: str) -> Summary | None:
        directory = run_directory(self.directory.parent, run_id)
        return load_summary(directory) if (directory / SUMMARY_FILE).is_file() else None

    def step(self, number: int, fields: dict[str, Value], label: str) -> Summary:
        """Return the summary of one step; raises Interrupted when the user ended it."""
        done = len(self._journal.done) > number
        if not done and self._ran and not self.rest(self.experiment.rest):
            raise Interrupted
        run_id = make_run_id(f"{self._stem}-{number + 1:03}")
        self.say(f"{label}{' (done before)' if done else ''}")
        specification = self.experiment.specification(dict(fields))
        summary = self._journal.carry_out(
            number, fields, run_id, lambda run_id: self.make_run(specification, run_id)
        )
        self._ran = self._ran or not done
        if summary.verdict == "interrupted":
            raise Interrupted
        return summary

    @property
    def _stem(self) -> str:
        return "-".join(self._name.split("-")[1:-1]) or self._name

    def sweep(self) -> list[dict[str, Value]]:
        """Carry out every cell; write and return the table after each."""
        rows: list[dict[str, Value]] = []
        cells = self.experiment.cells()
        for cell in cells:
            fields = {name: _plain(value) for name, value in cell.fields.items()}
            label = f"Run {cell.step + 1} of {len(cells)}: {cell.text}"
            rows.append(row(cell, self.step(cell.step, fields, label)))
            write_text(self.directory / TABLE_FILE, write_csv(rows))
            defuse(self.directory / TABLE_FILE)
        return rows

    def search(self, settings: SearchSettings) -> Capacity:
        """Search the capacity; write and return it."""
        steps = iter(range(10**9))
        usable = True

        def measure(load: int) -> TrialOutcome:
            nonlocal usable
            for number in steps:
                done = len(self._journal.done) > number
                if not usable and not done and not self.rest(UNUSABLE_REST_SECONDS):
                    raise Interrupted
                label = f"Trial {number + 1}: {settings.over}={load}"
                outcome = trial_outcome(self.step(number, {settings.over: load}, label))
                usable = outcome.state != "unusable"
                # A search that gave up over unusable trials makes new ones when it is resumed.
                if usable or not done:
                    return outcome
            raise AssertionError("the list of steps is not finished")

        found = with_curve(find_capacity(measure, settings))
        text = found.model_dump_json(indent=2) + "\n"
        write_text(self.directory / CAPACITY_FILE, text)
        return found


def _plain(value: object) -> Value:
    return value if isinstance(value, str | int | float) or value is None else str(value)


def trial_outcome(summary: Summary) -> TrialOutcome:
    """Tell what a run means to a search. An error is unusable, like any invalid run but saturation.

    A run whose generators saturated says nothing about the target, whether its SLOs held or not.
    """
    times = summary.response_time_seconds
    kinds = set(summary.reason_kinds) - {NOTE}
    states = {"passed": "held", "failed": "broke"}
    state = states.get(summary.verdict, "unusable")
    saturated = kinds & SATURATION and kinds <= SATURATION | OF_SATURATION
    if summary.verdict == "invalid" and saturated:
        state = "saturated"
    return TrialOutcome.model_validate(
        {
            "state": state,
            "run_id": summary.run_id,
            "throughput_per_second": summary.throughput_per_second,
            "p95_seconds": times.p95,
            "maximum_seconds": times.max,
        }
    )


def create_series(experiment: Experiment, results: Path, name: str) -> Path:
    """Make the directory of a new series and keep the experiment in it."""
    directory = results / make_run_id(name)
    directory.mkdir(parents=True)
    text = experiment.model_dump_json(indent=2, exclude_unset=True) + "\n"
    write_text(directory / EXPERIMENT_FILE, text)
    return directory


def load_series(directory: Path) -> Experiment:
    """Read the experiment of a series that was begun. UsageError when there is none."""
    path = directory / EXPERIMENT_FILE
    if not path.is_file():
        raise UsageError(
            f"{directory} contains no sweep or capacity search: give the directory "
            f"that the interrupted one printed, such as results/20261121T101500Z-dspace-3f9a"
        )
    try:
        return Experiment.model_validate_json(read_document(path))
    except (OSError, ValueError) as error:
        kept = type(error).__name__ if isinstance(error, ValidationError) else error
        raise UsageError(
            f"{path} can't be read as the experiment of a sweep or search ({kept}): "
            f"it was changed or cut off; start again with loadgen run"
        ) from error


def load_capacity(directory: Path) -> Capacity:
    """Read what a search came to. UsageError when the directory holds none."""
    path = directory / CAPACITY_FILE
    try:
        return Capacity.model_validate_json(read_document(path))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{directory} contains no finished capacity search ({CAPACITY_FILE} can't be read): "
            "give the directory of one, such as results/20261121T101500Z-capacity-3f9a"
        ) from error


def sweep_exit_code(rows: list[dict[str, Value]]) -> int:
    """Return the code of the worst verdict."""
    verdicts = [verdict for verdict in _SEVERITY if any(r["verdict"] == verdict for r in rows)]
    return EXIT_CODES[verdicts[-1]] if verdicts else 0


def search_exit_code(found: Capacity) -> int:
    """Return 0 for an interval, 1 when no load held, 3 when the generators were the limit."""
    if found.limited_by == "generators":
        return EXIT_CODES["invalid"]
    return EXIT_CODES["failed"] if found.low is None else 0
