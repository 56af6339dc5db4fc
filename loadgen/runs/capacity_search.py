"""Capacity search: the highest load at which the SLOs hold, as an interval with a confidence.

A *trial* is one run at one load. A *decision* about a load is a sequential probability ratio test
(A. Wald, 1945) over trials: they are repeated until one side leads by so many that, if a single
trial judges wrongly no more often than `trial_error_ratio`, the decision is wrong no more often
than asked. So one outlier costs two more trials and changes nothing.

Loads double until one does not hold, then the interval is bisected. Both ends are confirmed at the
end with trials of their own, since a lucky trial is what chose them. A load at which the generators
saturated says nothing of the target: the search ends below it and says so.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict

from loadgen.runs.capacity_curve import Curve, count_by_load, fit_curve
from loadgen.shared.errors import OperationError
from loadgen.specification.experiment import SearchSettings

State = Literal["held", "broke", "saturated", "unusable"]
Decision = Literal["held", "broke", "saturated", "undecided"]
UNUSABLE_MAX = 3


class TrialOutcome(BaseModel):
    """What one trial came to.

    held: valid and every SLO held. broke: valid and one did not. saturated: the generators could
    not make the load. unusable: invalid for another reason, so it is repeated. Times are seconds.
    """

    model_config = ConfigDict(frozen=True)

    state: State
    run_id: str = ""
    throughput_per_second: float | None = None
    average_seconds: float | None = None
    p95_seconds: float | None = None
    maximum_seconds: float | None = None


class Trial(BaseModel):
    """One trial, as the journal keeps it."""

    model_config = ConfigDict(frozen=True)

    load: int
    outcome: TrialOutcome


class DecidedLoad(BaseModel):
    """One decision: what it was and how many trials it took."""

    model_config = ConfigDict(frozen=True)

    load: int
    decision: Decision
    trials: int
    confirmation: bool


class Published(BaseModel):
    """What the published study's rule says of the same target."""

    model_config = ConfigDict(frozen=True)

    last_held: int | None
    first_broke: int | None
    trials: tuple[Trial, ...]


class LoadCount(BaseModel):
    """How many trials at one load held, of those that said something about the target."""

    model_config = ConfigDict(frozen=True)

    load: int
    held: int
    tried: int


class Capacity(BaseModel):
    """The result. `low` held, `high` did not; None is an end that was not found.

    `limited_by` tells why `high` did not hold: the target, the generators, or `most`. `loads` are
    the counts that `curve`, the chance that a load holds, was fitted to; see `capacity_curve`.
    """

    model_config = ConfigDict(frozen=True)

    over: str
    low: int | None
    high: int | None
    limited_by: Literal["target", "generators", "most"]
    confidence: float
    sentence: str
    decisions: tuple[DecidedLoad, ...]
    trials: tuple[Trial, ...]
    published: Published | None = None
    loads: tuple[LoadCount, ...] = ()
    curve: Curve | None = None


Measure = Callable[[int], TrialOutcome]


def lead_needed(error_ratio: float, trial_error_ratio: float) -> int:
    """Return by how many trials one side has to lead (Wald's bound, both errors alike)."""
    odds = math.log((1 - error_ratio) / error_ratio)
    return max(1, math.ceil(odds / math.log((1 - trial_error_ratio) / trial_error_ratio) - 1e-9))


@dataclass
class _Bench:
    """Makes trials and decisions, and keeps them."""

    measure: Measure
    settings: SearchSettings
    trials: list[Trial] = field(default_factory=list)
    decisions: list[DecidedLoad] = field(default_factory=list)

    def decide(self, load: int, confirmation: bool = False) -> Decision:
        """Repeat trials at one load until one side leads by enough."""
        settings = self.settings
        error_ratio = (1 - settings.confidence) / (2 if confirmation else 1)
        needed = lead_needed(error_ratio, settings.trial_error_ratio)
        most = max(settings.trials_per_decision_max, needed)
        states: list[State] = []
        while len(states) < most and abs(_lead(states)) < needed:
            states.append(self._trial(load))
        decision = _decision(states, needed)
        verdict = DecidedLoad(
            load=load, decision=decision, trials=len(states), confirmation=confirmation
        )
        self.decisions.append(verdict)
        return decision

    def _trial(self, load: int) -> State:
        for _ in range(UNUSABLE_MAX):
            if len(self.trials) >= self.settings.trials_max:
                raise OperationError(
                    f"the search made {len(self.trials)} trials, which is the maximum"
                    f" (trials_max), "
                    f"and reached no result: raise trials_max or resolution_ratio, or run longer "
                    f"trials"
                )
            outcome = self.measure(load)
            self.trials.append(Trial(load=load, outcome=outcome))
            if outcome.state != "unusable":
                return outcome.state
        raise OperationError(
            f"{UNUSABLE_MAX} trials in a row at a load of {load} could not be used, "
            f"for other reasons than saturated generators: see the reasons above and "
            f"in the reports of the trials. If other programs keep this machine busy "
            f"(loadgen doctor shows its load), end them"
        )

    def known(self, load: int) -> Decision | None:
        """Return the latest decision about a load."""
        found = [verdict.decision for verdict in self.decisions if verdict.load == load]
        return found[-1] if found else None

    def loads(self, held: bool) -> list[int]:
        """Return the loads whose latest decision is, or is not, that they held."""
        loads = {verdict.load for verdict in self.decisions}
        return sorted(load for load in loads if (self.known(load) == "held") == held)


def _lead(states: list[State]) -> int:
    held = states.count("held")
    return held - (len(states) - held)


def _decision(states: list[State], needed: int) -> Decision:
    lead = _lead(states)
    if lead >= needed:
        return "held"
    if lead > -needed:
        return "undecided"
    return "saturated" if states.count("saturated") > states.count("broke") else "broke"


def find_capacity(measure: Measure, settings: SearchSettings) -> Capacity:
    """Search with `measure`, which makes one trial. Deterministic in the outcomes it returns."""
    bench = _Bench(measure, settings)
    while True:
        low, high = _narrow(bench)
        if low is not None and bench.decide(low, confirmation=True) != "held":
            continue
        if high is not None and bench.decide(high, confirmation=True) == "held":
            continue
        break
    found = _capacity(bench, low, high)
    if not settings.compare_published:
        return found
    return found.model_copy(update={"published": find_published(measure, settings)})


def _narrow(bench: _Bench) -> tuple[int | None, int | None]:
    """Make the interval as narrow as asked, from all that is known so far."""
    while True:
        low, high = _interval(bench)
        if high is None and low == bench.settings.most:
            return low, None
        if high is not None and _is_narrow(low, high, bench.settings):
            return low, high
        bench.decide(_next_load(low, high, bench.settings))


def _interval(bench: _Bench) -> tuple[int | None, int | None]:
    """Return the lowest load that did not hold, and the highest below it that did."""
    high = min(bench.loads(held=False), default=None)
    below = [load for load in bench.loads(held=True) if high is None or load < high]
    return max(below, default=None), high


def _is_narrow(low: int | None, high: int, settings: SearchSettings) -> bool:
    return high - (low or 0) <= max(1, math.floor(settings.resolution_ratio * high))


def _next_load(low: int | None, high: int | None, settings: SearchSettings) -> int:
    if high is not None:
        return ((low or 0) + high) // 2
    return min(settings.start if low is None else 2 * low, settings.most)


def _capacity(bench: _Bench, low: int | None, high: int | None) -> Capacity:
    limited_by: Literal["target", "generators", "most"] = "target"
    if high is None:
        limited_by = "most"
    elif bench.known(high) == "saturated":
        limited_by = "generators"
    return Capacity(
        over=bench.settings.over,
        low=low,
        high=high,
        limited_by=limited_by,
        confidence=bench.settings.confidence,
        sentence=_sentence(bench, low, high, limited_by),
        decisions=tuple(bench.decisions),
        trials=tuple(bench.trials),
    )


def _sentence(bench: _Bench, low: int | None, high: int | None, limited_by: str) -> str:
    settings = bench.settings
    unit = "users" if settings.over == "users" else "requests/s"
    trust = (
        f"with {100 * settings.confidence:g} % confidence, provided that at most "
        f"{100 * settings.trial_error_ratio:g} % of single trials give a wrong result "
        f"({len(bench.trials)} trials)"
    )
    if limited_by == "most":
        return f"at least {low} {unit}, the most that was allowed: every SLO held there, {trust}"
    if limited_by == "generators":
        least = "unknown" if low is None else f"at least {low} {unit}"
        return (
            f"{least}: the generators saturated at {high} {unit}, so the target's own limit was "
            "not reached (add workers or worker hosts, or end other programs on these machines), "
            f"{trust}"
        )
    if low is None:
        return f"below {high} {unit}: no load that was tried held every SLO, {trust}"
    if bench.known(high or 0) == "undecided":
        return f"{low} {unit}: at {high} trials disagree, at {low} every SLO held, {trust}"
    return f"{low} {unit}: every SLO held there and one did not at {high}, {trust}"


def with_curve(found: Capacity) -> Capacity:
    """Add what each load held, and the curve through all trials."""
    counts = count_by_load(
        [
            (trial.load, trial.outcome.state == "held")
            for trial in found.trials
            if trial.outcome.state in ("held", "broke")
        ]
    )
    loads = tuple(LoadCount(load=load, held=held, tried=tried) for load, held, tried in counts)
    curve = fit_curve(counts, found.confidence)
    return found.model_copy(update={"loads": loads, "curve": curve})


def describe(found: Capacity) -> str:
    """Return the result for a terminal: the sentence, what each load held, and the curve."""
    unit = "users" if found.over == "users" else "arrivals/s"
    lines = [f"Capacity: {found.sentence}"]
    lines += [
        f"  {one.load:>8,} {unit}: {one.held} of {one.tried} trials held" for one in found.loads
    ]
    if found.curve:
        bounds = [
            "no bound" if bound is None else f"{bound:,.4g}"
            for bound in (found.curve.low, found.curve.high)
        ]
        lines.append(
            f"Half of the trials hold at {found.curve.middle:,.4g} {unit}, between {bounds[0]} and "
            f"{bounds[1]} at {100 * found.curve.confidence:g} % (logistic curve through all trials)"
        )
    if found.published:
        trials = len(found.published.trials)
        lines.append(
            "On the same target the alarm study's published rule ended at "
            f"{found.published.first_broke} "
            f"({trials} trials)"
        )
    return "\n".join(lines)


def find_published(measure: Measure, settings: SearchSettings) -> Published:
    """Apply the published study's rule (jtpgames/Locust_Scripts): for comparison, not for use.

    Loads 1, step, 2·step, …, one trial each, until one does not comply.
    """
    trials: list[Trial] = []
    last_held, load, index = None, 1, 0
    while load <= settings.most and len(trials) < settings.trials_max:
        outcome = measure(load)
        trials.append(Trial(load=load, outcome=outcome))
        if outcome.state != "held":
            return Published(last_held=last_held, first_broke=load, trials=tuple(trials))
        last_held, index = load, index + 1
        load = index * settings.published_step
    return Published(last_held=last_held, first_broke=None, trials=tuple(trials))
