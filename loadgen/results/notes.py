"""What a reader of a run's figures should know, whatever the verdict: sentences under it.

In a closed model users wait for a slow answer, and while they wait they ask nothing: a target that
stood still for five seconds is measured once a user, where an arrival process would have met it all
the time (coordinated omission). The summary of such a run says so, and gives the percentiles that
its users' own pace implies beside those that were measured.
"""

from collections.abc import Sequence

from loadgen.judging.loss_checks import ARRIVAL_METHOD
from loadgen.results.evaluation.omission import correct
from loadgen.results.timeline import Timeline
from loadgen.shared.histograms import Histogram, merge, percentile, total_count
from loadgen.shared.snapshot import EntryStatistics, SecondCount, requests_among
from loadgen.shared.text import clock, format_seconds

REQUESTS_MIN = 100
FACTOR = 2.0
"""Below this ratio of the corrected to the measured 99th percentile nothing is worth saying."""


def notes_of(entries: Sequence[EntryStatistics], timeline: Timeline, seconds: float) -> list[str]:
    """Return the notes on a run that measured these entries for `seconds`."""
    if any(entry.method == ARRIVAL_METHOD for entry in entries):
        return []
    times = merge(entry.response_times for entry in requests_among(entries))
    users = _mean_users(timeline)
    if total_count(times) < REQUESTS_MIN or not users or seconds <= 0:
        return []
    # How often one user sends a request while the target answers: silent seconds are left out.
    silent = _longest_silence(timeline)
    pace_ms = 1000 * users * (seconds - (silent[1] if silent else 0)) / total_count(times)
    return [note for note in [_stall(times, pace_ms, silent)] if note]


def _mean_users(timeline: Timeline) -> float:
    whole = sum(point.seconds for point in timeline.points)
    weighted = sum(point.users * point.seconds for point in timeline.points)
    return weighted / whole if whole else 0.0


def _stall(times: Histogram, pace_ms: float, silent: tuple[int, int] | None) -> str:
    try:
        corrected = correct(times, pace_ms)
    except ValueError:
        return ""
    measured = percentile(times, 0.99) or 0.0
    implied = percentile(corrected, 0.99) or 0.0
    if implied < FACTOR * measured or implied < 2 * pace_ms:
        return ""
    where = (
        f"from {clock(silent[0])} no request was answered for {silent[1]} s"
        if silent
        else f"a request took {format_seconds(max(times) / 1000)}, and its user sent nothing else"
    )
    beside = ", ".join(
        f"p{100 * part:g} {format_seconds((percentile(times, part) or 0) / 1000)} -> "
        f"{format_seconds((percentile(corrected, part) or 0) / 1000)}"
        for part in (0.5, 0.95, 0.99)
    )
    return (
        f"The target stopped answering: {where}. Waiting users send no requests, so the measured "
        "percentiles are too low. Corrected for the requests that users would have sent (one every "
        f"{format_seconds(pace_ms / 1000)}): {beside}. To measure this without correction, use an "
        "open model (--arrival-rate)"
    )


def _longest_silence(timeline: Timeline) -> tuple[int, int] | None:
    """Return begin and length of the longest time without an answer, two whole seconds at least."""
    counts: list[SecondCount] = timeline.completed.counts()
    best, begin = (0, 0), None
    for count in counts:
        if count.requests:
            begin = None
            continue
        begin = count.second if begin is None else begin
        length = count.second + timeline.completed.width - begin
        best = max(best, (length, begin))
    return (best[1], best[0]) if best[0] >= 2 else None
