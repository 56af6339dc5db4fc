"""The alarm study's evaluation: whether alarms are acknowledged in time.

Works on the transactions of a request log, the rows `ALARM` of `locustfiles/alarm_devices.py`. The
limits, average at most 10 s and maximum at most 30 s, are those of the study (MASCOTS 2020, doi
10.1007/978-3-030-68110-4_9), its authors' reading of EN 50136 and not the standard's wording.
"""

import bisect
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
from matplotlib.figure import Figure

from loadgen.results.evaluation.pictures import COLOURS, draw_limits, legend_above, new_picture
from loadgen.results.tester_log import METHOD, SearchStep
from loadgen.runs.capacity_search import Capacity
from loadgen.shared.errors import UsageError

TRANSACTION = "ALARM"
AVERAGE_SECONDS_MAX = 10.0
MAXIMUM_SECONDS_MAX = 30.0
EXPECTED_OUTAGE_SECONDS = (28.0, 36.0)
WORST = 8


@dataclass(frozen=True)
class AlarmResponse:
    """One transaction: seconds from the run's first trigger to its own, and to its end.

    `refused` tells whether an attempt failed meanwhile: an outage, not a stall of a machine.
    """

    at: float
    seconds: float
    refused: bool = False


@dataclass(frozen=True)
class StudyFigures:
    """What the study reports about a run; times in seconds."""

    responses: int
    minimum: float
    median: float
    mean: float
    maximum: float
    above_average_limit: int
    above_maximum_limit: int

    @property
    def complies(self) -> bool:
        """Whether the average and the maximum both keep their limits."""
        return self.mean <= AVERAGE_SECONDS_MAX and self.maximum <= MAXIMUM_SECONDS_MAX


# An hour of the study under fault: "Tests under Fault", 30.06.20.
PUBLISHED = StudyFigures(980, 2.005, 2.009, 2.780, 37.337, 25, 20)
# As long as its responses and a second after each: after the 25th fault and before the 26th.
PUBLISHED_SECONDS = PUBLISHED.responses * (PUBLISHED.mean + 1.0)


def evaluate_log(log: pl.DataFrame, speed: float) -> tuple[dict[str, Figure], str]:
    """Return the study's picture and figures of a request log; nothing of one without alarms."""
    alarms = log.filter(pl.col("method").is_in([TRANSACTION, METHOD]))
    if not alarms["error"].null_count():
        return {}, ""
    responses, left_out = study_responses(log, speed)
    text = describe(evaluate(responses), responses)
    if left_out:
        text += (
            f"\n{left_out} alarms were triggered after the {PUBLISHED_SECONDS:,.0f} s of the "
            "published hour, and are not in the table."
        )
    return {"alarm-study": draw_study(responses)}, text


def study_responses(log: pl.DataFrame, speed: float) -> tuple[list[AlarmResponse], int]:
    """Return the alarms as the study counts them, and how many came after the published hour.

    A tester's own log is the study's: it counts whole.
    """
    found = transactions(log, speed)
    if (log["method"] == METHOD).any():
        return found, 0
    within = [response for response in found if response.at < PUBLISHED_SECONDS]
    return within, len(found) - len(within)


def transactions(log: pl.DataFrame, speed: float = 1.0) -> list[AlarmResponse]:
    """Return the acknowledged alarms of a request log, in the order of their triggers.

    `speed` is that of a time-scaled run: its seconds are multiplied with it. Raises UsageError when
    the log has no transactions.
    """
    frame = log.filter(
        pl.col("method").is_in([TRANSACTION, METHOD])
        & pl.col("error").is_null()
        & pl.col("duration_us").is_not_null()
    ).sort("start_us")
    if not frame.height:
        raise UsageError(
            f"the request log has no rows with the method {TRANSACTION}: give a run "
            f"of locustfiles/alarm_devices.py"
        )
    attempts = ~pl.col("method").is_in([TRANSACTION, METHOD])
    failed = log.filter(attempts & pl.col("error").is_not_null())
    failures = failed["start_us"].sort().to_list()
    first = frame["start_us"][0]
    scale = speed / 1e6
    return [
        AlarmResponse(
            (start - first) * scale, duration * scale, _any(failures, start, start + duration)
        )
        for start, duration in frame.select("start_us", "duration_us").iter_rows()
    ]


def _any(times: list[int], start: int, end: int) -> bool:
    following = bisect.bisect_left(times, start)
    return following < len(times) and times[following] <= end


def stalls(responses: Sequence[AlarmResponse]) -> list[AlarmResponse]:
    """Return responses above the average's limit that no outage explains."""
    return [one for one in responses if one.seconds > AVERAGE_SECONDS_MAX and not one.refused]


def evaluate(responses: Sequence[AlarmResponse]) -> StudyFigures:
    """Compute the study's figures of at least one response."""
    times = [response.seconds for response in responses]
    return StudyFigures(
        responses=len(times),
        minimum=min(times),
        median=statistics.median(times),
        mean=statistics.fmean(times),
        maximum=max(times),
        above_average_limit=sum(seconds > AVERAGE_SECONDS_MAX for seconds in times),
        above_maximum_limit=sum(seconds > MAXIMUM_SECONDS_MAX for seconds in times),
    )


def worst(responses: Sequence[AlarmResponse], count: int = WORST) -> list[AlarmResponse]:
    """Return the slowest responses, in the order of their triggers, as the study lists them."""
    slowest = sorted(responses, key=lambda response: response.seconds, reverse=True)[:count]
    return sorted(slowest, key=lambda response: response.at)


def draw_study(
    responses: Sequence[AlarmResponse],
    expected_outage_seconds: Sequence[float] = EXPECTED_OUTAGE_SECONDS,
) -> Figure:
    """Draw responses over time with the minimum, the limit, and the outages that were expected."""
    figure, axes = new_picture("Alarms under fault", "time (s)", "response time (s)")
    minimum = min(response.seconds for response in responses)
    axes.plot(
        [response.at for response in responses],
        [response.seconds for response in responses],
        "o",
        color=COLOURS[5],
        markersize=3,
        label="alarm",
    )
    axes.axhline(minimum, color=COLOURS[0], label=f"measured minimum, {minimum:.3f} s")
    for number, seconds in enumerate(expected_outage_seconds):
        label = "expected outage, shortest and longest" if number == 0 else None
        axes.axhline(seconds, color=COLOURS[3], linestyle=":", label=label)
    draw_limits(axes, [MAXIMUM_SECONDS_MAX])
    axes.set_ylim(bottom=0)
    axes.legend(loc="center left")
    return figure


def draw_search(steps: Sequence[SearchStep], ours: Capacity | None = None) -> Figure:
    """Draw mean and maximum over the clients of a search, with the limits; ours beside it."""
    figure, axes = new_picture("Saturation search", "clients", "response time (s)")
    axes.plot([s.clients for s in steps], [s.average for s in steps], "-", label="mean")
    for held, mark, label in ((True, "s", "maximum, held"), (False, "x", "maximum, did not hold")):
        chosen = [step for step in steps if step.held in ((held, None) if held else (held,))]
        axes.plot(
            [step.clients for step in chosen],
            [step.maximum for step in chosen],
            mark,
            color=COLOURS[2] if held else COLOURS[1],
            label=label,
        )
    if ours:
        trials = [t for t in ours.trials if t.outcome.maximum_seconds is not None]
        axes.plot(
            [t.load for t in trials],
            [t.outcome.maximum_seconds or 0.0 for t in trials],
            "+",
            color=COLOURS[4],
            label="maximum, our search",
        )
        if ours.low is not None and ours.high is not None:
            axes.axvspan(ours.low, ours.high, color=COLOURS[4], alpha=0.25, label="our interval")
    draw_limits(axes, [AVERAGE_SECONDS_MAX, MAXIMUM_SECONDS_MAX])
    axes.set_ylim(bottom=0)
    legend_above(axes)
    return figure


def describe_search(steps: Sequence[SearchStep]) -> str:
    """Return a search as text: a line a load, and where its rule ended it."""
    words = {True: "held", False: "did not hold", None: ""}
    lines = [
        f"{step.clients:>8,} clients: mean {step.average:.3f} s, max {step.maximum:.3f} s  "
        f"{words[step.held]}".rstrip()
        for step in steps
    ]
    broke = next((step.clients for step in steps if step.held is False), None)
    end = "no load that was tried broke a limit" if broke is None else f"ended at {broke:,} clients"
    return "\n".join(
        [*lines, f"The published rule {end}; one trial a load, so any outlier ends it."]
    )


def describe(figures: StudyFigures, responses: Sequence[AlarmResponse]) -> str:
    """Return the figures beside the published ones, the verdict and the worst, as text."""
    rows = [
        ("responses", "d"),
        ("minimum", ".3f"),
        ("median", ".3f"),
        ("mean", ".3f"),
        ("maximum", ".3f"),
        ("above_average_limit", "d"),
        ("above_maximum_limit", "d"),
    ]
    table = [
        f"{name.replace('_', ' '):22}{getattr(figures, name):>12{form}}"
        f"{getattr(PUBLISHED, name):>12{form}}"
        for name, form in rows
    ]
    verdict = "complies with" if figures.complies else "does not comply with"
    slowest = [f"{response.at:10.1f}{response.seconds:12.3f}" for response in worst(responses)]
    return "\n".join(
        [
            f"{'':22}{'this run':>12}{'published':>12}",
            *table,
            f"The run {verdict} average <= {AVERAGE_SECONDS_MAX:g} s and maximum <= "
            f"{MAXIMUM_SECONDS_MAX:g} s.",
            "Worst, by trigger (s) and response time (s):",
            *slowest,
        ]
    )
