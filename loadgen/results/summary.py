"""What a run came to: the model of `summary.json`, read by report, JUnit, comparison and search."""

import math
import re
from pathlib import Path

from pydantic import AwareDatetime, BaseModel, ConfigDict, JsonValue, computed_field

from loadgen.judging.check import NOTE
from loadgen.judging.slo_judge import SloResult
from loadgen.judging.verdict import EXIT_CODES, Verdict
from loadgen.shared.files import read_document
from loadgen.shared.machine import Machine
from loadgen.shared.run_ids import SUMMARY_FILE

_CHECK = re.compile(r"CatchResponseError\((['\"])(.*)\1\)", re.DOTALL)


class _Model(BaseModel):
    # A summary of a later release may hold more; an archive has to stay readable.
    model_config = ConfigDict(frozen=True, extra="ignore")


class ResponseTimes(_Model):
    """Seconds, over all names, from the merged histogram; None when nothing was timed."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    max: float | None = None


class WorkerCounts(_Model):
    """Worker processes asked for, seen at the start of load, and lost before its end."""

    expected: int
    seen: int
    lost: int


class AfterStop(_Model):
    """What was answered while users finished, after the measured interval; times in seconds."""

    requests: int = 0
    failures: int = 0
    maximum_seconds: float | None = None


class Provenance(_Model):
    """Where a run's files came from: the project's commit, and whether it had other changes."""

    commit: str = ""
    modified: bool | None = None
    scenario_sha256: str = ""


class ErrorResult(_Model):
    """One error of the run, as Locust words it, and how often it occurred."""

    occurrences: int
    method: str
    name: str
    error: str

    @property
    def sentence(self) -> str:
        """One line for a person; a check's own words stand without Python's around them."""
        words = _CHECK.fullmatch(self.error)
        return (
            f"{self.occurrences:,} x {self.method} {self.name}: {words[2] if words else self.error}"
        )


class Summary(_Model):
    """One run. Times are UTC; `reasons` are whole sentences: when, where and how much.

    Every figure is of the measured interval: from `started_at`, the end of the warm-up, for
    `measured_seconds`, to `ended_at`, the beginning of the stop. `after_stop` is what was answered
    later. Rows of a transaction (ARRIVAL, ALARM) are not counted again beside their requests.
    `notes` are those reasons that a reader of the figures should know, whatever the verdict.

    `reason_kinds` names the kind of each (see `loadgen.judging.validity`; "fault" for a failed
    machine or process, "note" for what is to be said of a run all the same). `errors` are the most
    frequent ones. `requests_logged` is None when no request log was kept.
    """

    run_id: str
    verdict: Verdict
    reasons: tuple[str, ...] = ()
    reason_kinds: tuple[str, ...] = ()
    requests: int = 0
    failures: int = 0
    throughput_per_second: float = 0.0
    response_time_seconds: ResponseTimes = ResponseTimes()
    workers: WorkerCounts
    started_at: AwareDatetime | None = None
    ended_at: AwareDatetime | None = None
    versions: dict[str, str] = {}
    release_sha256: str = ""
    specification: dict[str, JsonValue] = {}
    slos: tuple[SloResult, ...] = ()
    errors: tuple[ErrorResult, ...] = ()
    requests_logged: int | None = None
    measured_seconds: float | None = None
    after_stop: AfterStop = AfterStop()
    description: str = ""
    machines: tuple[Machine, ...] = ()
    origin: Provenance = Provenance()

    @computed_field  # type: ignore[prop-decorator]  # mypy doesn't know the two together
    @property
    def notes(self) -> tuple[str, ...]:
        """The reasons that don't make the run invalid."""
        said = zip(self.reasons, self.reason_kinds, strict=False)
        return tuple(sentence for sentence, kind in said if kind == NOTE)

    @property
    def exit_code(self) -> int:
        """The code that `loadgen run` ends with."""
        return EXIT_CODES[self.verdict]


def load_summary(run_directory: Path) -> Summary:
    """Read a run's summary. Raises OSError, pydantic's ValidationError or another ValueError."""
    summary = Summary.model_validate_json(read_document(run_directory / SUMMARY_FILE))
    times = summary.response_time_seconds
    figures: dict[str, float | None] = {
        "requests": summary.requests,
        "failures": summary.failures,
        "throughput_per_second": summary.throughput_per_second,
        "measured_seconds": summary.measured_seconds,
        **{f"response_time_seconds.{name}": value for name, value in times},
    }
    for name, value in figures.items():
        if value is not None and not 0 <= value < math.inf:
            raise ValueError(f"its {name} is {value}, which is not possible in a run")
    return summary
