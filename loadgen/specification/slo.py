"""SLOs: limits on a run, judged on data merged over all workers.

A *measure* is what is limited: `p95_seconds` (any percentile), `average_seconds`,
`maximum_seconds`, `failure_ratio` or `throughput_per_second`. It is taken over the whole run, or
over every window of `window_seconds`. An SLO that found nothing to measure did not hold.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from loadgen.shared.snapshot import EntryStatistics, requests_among

_PERCENTILE = re.compile(r"^p(\d{1,2}(?:\.\d+)?|100)_seconds$")
_MEASURES = ("average_seconds", "maximum_seconds", "failure_ratio", "throughput_per_second")
RequestTags = Mapping[str, tuple[str, ...]]


class Slo(BaseModel):
    """One limit. Exactly one of `at_most` and `at_least` is given, in the measure's unit.

    `name` and the names of a `tag` may hold `*` for any text. `each_name` judges every name that
    matches on its own, so that failures of one kind don't hide in the total. The first
    `after_seconds` of load are left out. `abort` ends the run at once and needs a window.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    measure: str = Field(
        examples=["p95_seconds", "failure_ratio"],
        json_schema_extra={
            "pattern": r"^(p(\d{1,2}(\.\d+)?|100)_seconds|average_seconds|maximum_seconds"
            r"|failure_ratio|throughput_per_second)$"
        },
    )
    """The measure that is limited: p50_seconds, p95_seconds (any percentile), average_seconds,
    maximum_seconds, failure_ratio or throughput_per_second."""
    at_most: float | None = Field(default=None, ge=0)
    """The highest value with which the SLO holds, in the measure's unit: seconds, a ratio from 0 to
    1, or 1/s."""
    at_least: float | None = Field(default=None, ge=0)
    """The lowest value with which the SLO holds, in the measure's unit."""
    name: str | None = None
    """Requests of this name only; * stands for any text."""
    method: str | None = None
    """Requests of this method only: GET, or ARRIVAL for the arrivals of an open model."""
    tag: str | None = None
    """Requests whose names request_tags lists under this tag."""
    each_name: bool = False
    """Judge every name on its own, so that failures of one kind don't hide in the total."""
    window_seconds: float | None = Field(default=None, ge=2, le=86400)
    """Judge every window of this length instead of the whole interval."""
    after_seconds: float = Field(default=0, ge=0, le=86400)
    """Leave out the first seconds of the measured interval."""
    abort: bool = False
    """End the run at once when a window breaks the limit; needs window_seconds."""

    @field_validator("measure")
    @classmethod
    def _measure_is_known(cls, measure: str) -> str:
        if measure not in _MEASURES and not _PERCENTILE.match(measure):
            raise ValueError(f"give p50_seconds, p95_seconds, …, {', '.join(_MEASURES)}")
        return measure

    @model_validator(mode="after")
    def _limits_are_whole(self) -> Self:
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError("give exactly one of at_most and at_least")
        if self.measure == "failure_ratio" and self.limit > 1:
            raise ValueError(
                f"a failure ratio is between 0 and 1, so a limit of {self.limit:g} would "
                f"have no effect: for "
                f"{self.limit:g} % give {self.limit / 100:g}"
            )
        if self.abort and self.window_seconds is None:
            raise ValueError(
                "abort needs window_seconds, because a limit on the whole run is judged "
                "only at its end"
            )
        if self.tag is not None and self.name is not None:
            raise ValueError("an SLO has either a name or a tag: give one of them")
        return self

    @property
    def limit(self) -> float:
        """The limit in the measure's unit."""
        return self.at_least if self.at_most is None else self.at_most  # type: ignore[return-value]

    @property
    def unit(self) -> str:
        """The measure's unit: s, /s, or nothing for a ratio."""
        if self.measure == "throughput_per_second":
            return "/s"
        return "" if self.measure == "failure_ratio" else "s"

    @property
    def subject(self) -> str:
        """Which requests it limits: "GET /item/[id]", "tag search", "all requests"."""
        which = f"tag {self.tag}" if self.tag else self.name
        return " ".join(part for part in (self.method, which) if part) or "all requests"

    def text(self, subject: str | None = None) -> str:
        """Return the SLO in words: "p95 of GET / at most 2 s in every 30 s"."""
        word = "at least" if self.at_most is None else "at most"
        window = f" in every {self.window_seconds:g} s" if self.window_seconds else ""
        each = "each name of " if self.each_name and subject is None else ""
        of = f"{each}{subject or self.subject}"
        return f"{self.label} of {of} {word} {self.show(self.limit)}{window}"

    @property
    def label(self) -> str:
        """The measure without its unit: p95, failure ratio."""
        return self.measure.removesuffix("_seconds").removesuffix("_per_second").replace("_", " ")

    def show(self, value: float) -> str:
        """Return a value with its unit."""
        if self.measure == "failure_ratio":
            return f"{100 * value:.3g} %"
        if self.unit == "/s":
            return f"{value:.4g}/s"
        return f"{value:.4g} s" if value >= 1 or value == 0 else f"{1000 * value:.4g} ms"

    def holds(self, value: float) -> bool:
        """Tell whether a measured value is within the limit; the limit itself is."""
        return value <= self.limit if self.at_most is not None else value >= self.limit

    def worse(self, one: float, other: float) -> bool:
        """Tell whether `one` is further on the wrong side than `other`."""
        return one > other if self.at_most is not None else one < other

    def choose(
        self, entries: Sequence[EntryStatistics], tags: RequestTags
    ) -> list[EntryStatistics]:
        """Return the rows of the requests that it limits.

        Transactions count requests again, so they are chosen by their method, or name by name.
        """
        if self.method is None and not self.each_name:
            entries = requests_among(entries)
        return [entry for entry in entries if self.matches(entry, tags)]

    def matches(self, entry: EntryStatistics, tags: RequestTags) -> bool:
        """Tell whether a name's requests count."""
        if self.method is not None and entry.method != self.method:
            return False
        patterns = tags.get(self.tag, ()) if self.tag else (self.name or "*",)
        return any(matches(pattern, entry.name) for pattern in patterns)


def matches(pattern: str, name: str) -> bool:
    """Tell whether a name matches a pattern, in which each star stands for any characters."""
    # fnmatch would read the [id] of a name as a set of characters, and a regular expression takes
    # years for a pattern of many stars, which a host may send with the run that it reports.
    first, *rest = pattern.split("*")
    if not rest:
        return name == pattern
    *inner, last = rest
    place = len(first)
    for part in inner:
        place = name.find(part, place) + len(part)
        if place < len(part):
            return False
    return name.startswith(first) and name.endswith(last) and place + len(last) <= len(name)


DEFAULT_SLOS = (Slo(measure="failure_ratio", at_most=0.01),)
"""What a run is held to that names no SLO of its own."""
