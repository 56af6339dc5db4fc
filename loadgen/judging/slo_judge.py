"""Judges SLOs while a run goes on, from the master's snapshots.

Feed every snapshot in order; ask for `results` at any time. Nothing here reads a clock.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel, ConfigDict

from loadgen.judging.measure import measure_between
from loadgen.shared.snapshot import LOADING, EntryStatistics, Snapshot, requests_among
from loadgen.shared.text import clock
from loadgen.shared.totals import Totals
from loadgen.specification.slo import RequestTags, Slo


class SloResult(BaseModel):
    """One SLO after the run. `held` is None when none of the requests that it limits was measured.

    `slo` is its text ("p95 of GET /item < 2 s"); `measured` and `limit` are in `unit`;
    `method` and `name` are None for an SLO over all requests.
    """

    model_config = ConfigDict(frozen=True)

    slo: str
    held: bool | None
    measured: float | None
    limit: float
    unit: str
    sentence: str
    method: str | None = None
    name: str | None = None


NAMES_SHOWN = 5
# Snapshots come a little early or late: a window of 30 s may be one of 29.6 s.
WINDOW_TOLERANCE = 0.5


@dataclass
class _Tracker:
    """One SLO over one set of requests."""

    slo: Slo
    subject: str
    entry: tuple[str, str] | None = None
    states: deque[Totals] = field(default_factory=deque)
    windows: int = 0
    broken: int = 0
    worst: float | None = None
    worst_at: float = 0.0
    last: float | None = None
    since: float | None = None
    until: float = 0.0

    def add(self, totals: Totals) -> None:
        """Take the next state; judge the window that ends with it."""
        if self.slo.window_seconds is None:
            self.states.append(totals)
            if len(self.states) > 2:
                del self.states[1]
            self.since, self.until = self.states[0].time, totals.time
            self._judge(self.states[0], totals, replace=True)
            return
        while self.states and self._is_old(self.states, totals.time):
            self.states.popleft()
        if self.states and self._spans(self.states[0], totals.time):
            self._judge(self.states[0], totals, replace=False)
        self.states.append(totals)

    def _is_old(self, states: Sequence[Totals], now: float) -> bool:
        return len(states) > 1 and self._spans(states[1], now)

    def _spans(self, base: Totals, now: float) -> bool:
        return now - base.time >= (self.slo.window_seconds or 0) - WINDOW_TOLERANCE

    def _judge(self, earlier: Totals, later: Totals, replace: bool) -> None:
        value = measure_between(self.slo, earlier, later)
        self.last = value
        if value is None:
            return
        self.windows += 1
        self.broken += not self.slo.holds(value)
        if replace or self.worst is None or self.slo.worse(value, self.worst):
            self.worst, self.worst_at = value, later.time

    @property
    def broken_now(self) -> bool:
        """The latest window broke the limit."""
        return self.last is not None and not self.slo.holds(self.last)

    def result(self, missing: str = "no request was made") -> SloResult:
        """Return the state so far; `missing` says why nothing could be measured."""
        held = None if self.worst is None else self.slo.holds(self.worst)
        return SloResult(
            slo=self.slo.text(self.subject),
            held=held,
            measured=self.worst,
            limit=self.slo.limit,
            unit=self.slo.unit,
            sentence=self._sentence(missing),
            method=self.entry[0] if self.entry else self.slo.method,
            name=self.entry[1] if self.entry else self.slo.name,
        )

    def _sentence(self, missing: str) -> str:
        slo = self.slo
        if self.worst is None:
            return f"{slo.label} of {self.subject} could not be measured: {missing}"
        word = "at least" if slo.at_most is None else "at most"
        rule = f"{word} {slo.show(slo.limit)} is required"
        measured = f"{slo.label} of {self.subject} was {slo.show(self.worst)}"
        if slo.window_seconds is None:
            since = self.until if self.since is None else self.since
            span = f"{self.until - since:.3g} s from {clock(since)} to {clock(self.until)}"
            return f"{measured} in the {span}; {rule}"
        span = f"{measured} in the {slo.window_seconds:g} s to {clock(self.worst_at)}"
        if self.windows == 1:
            return f"{span}, the only window; {rule}"
        return (
            f"{span}, the worst of {self.windows} windows, of which {self.broken} broke the limit; "
            f"{rule}"
        )


class Judge:
    """All SLOs of a run. `request_tags` maps a tag to names (with `*` for any text)."""

    def __init__(self, slos: Iterable[Slo], request_tags: RequestTags | None = None) -> None:
        self._slos = tuple(slos)
        self._tags = request_tags or {}
        self._trackers: dict[tuple[int, tuple[str, str] | None], _Tracker] = {}
        self._epoch = ""
        self._time: float | None = None
        self._last: Snapshot | None = None

    def add(self, snapshot: Snapshot, whole: Totals | None = None) -> None:
        """Take the next snapshot: only what was answered within the measured interval counts.

        A new epoch (a warm-up that ended) starts again. `whole` are the totals over all of its
        requests, if the caller has them.
        """
        if snapshot.measured_from is None:
            return
        if snapshot.epoch != self._epoch:
            self._epoch, self._trackers, self._time = snapshot.epoch, {}, None
        loading = snapshot.state in LOADING and not snapshot.final
        for index, slo in enumerate(self._slos):
            # While users finish, throughput falls on purpose, so no window ends in that time.
            if loading or snapshot.final or slo.window_seconds is None:
                whole = whole or Totals.over_all(snapshot)
                self._add(index, slo, snapshot, whole)
        self._time, self._last = snapshot.measured_until, snapshot

    def _add(self, index: int, slo: Slo, snapshot: Snapshot, whole: Totals) -> None:
        started, now = snapshot.measured_from or 0.0, whole.time
        chosen = slo.choose(snapshot.entries, self._tags)
        counted = requests_among(snapshot.entries)
        for key, entries in _groups(slo, chosen).items():
            tracker = self._trackers.get((index, key))
            if tracker is None:
                subject = " ".join(key) if key else slo.subject
                tracker = _Tracker(slo, subject, key)
                self._trackers[index, key] = tracker
                tracker.states.extend(self._base(slo, started))
            # A window that is as long as the interval ends when the interval ends, which is after
            # the last snapshot under load.
            is_over = snapshot.final and slo.window_seconds is not None and tracker.windows > 0
            if now >= started + slo.after_seconds and not is_over:
                is_whole = key is None and entries == counted
                tracker.add(whole if is_whole else Totals.of(now, entries))

    def _base(self, slo: Slo, started: float) -> list[Totals]:
        """Return the state from which a name new to us counts: nothing, if that is known."""
        seen = started if self._time is None else self._time
        begin = started + slo.after_seconds
        if seen < begin:
            return []
        return [Totals(begin if slo.window_seconds is None else seen)]

    def results(self) -> tuple[SloResult, ...]:
        """Return the state of each SLO, in the order given.

        One for each name gives a result for each name that broke it, and one for all that did not.
        """
        results: list[SloResult] = []
        for index, slo in enumerate(self._slos):
            trackers = [tracker for (i, _), tracker in self._trackers.items() if i == index]
            # A name is left out if it had no request since the warm-up, or none after
            # `after_seconds`.
            measured = [tracker for tracker in trackers if tracker.worst is not None]
            found = [tracker.result() for tracker in measured]
            found = found or [_Tracker(slo, slo.subject).result(self._missing(slo))]
            results += _together(slo, found) if slo.each_name else found
        return tuple(results)

    def _missing(self, slo: Slo) -> str:
        """Say why an SLO found nothing to measure."""
        last = self._last
        if last is None:
            return "nothing was measured"
        needed = slo.after_seconds + (slo.window_seconds or 0.0)
        if needed and last.measured_seconds < needed - WINDOW_TOLERANCE:
            return (
                f"it needs {needed:g} s (after_seconds and window_seconds), and "
                f"{last.measured_seconds:.3g} s were measured"
            )
        names = sorted({f"{entry.method} {entry.name}" for entry in last.entries})
        if not names:
            return "no request was answered"
        if slo.choose(last.entries, self._tags):
            return (
                "the matching requests came before the SLO's interval, or they had no response time"
            )
        return f"no request matched; there were {_some(names)}"

    def unmatched(self, entries: Sequence[EntryStatistics]) -> list[str]:
        """Return a sentence for each SLO that matches none of these requests."""
        seen = [entry for entry in entries if entry.requests]
        names = sorted({f"{entry.method} {entry.name}" for entry in seen})
        return [
            f"no request matches the SLO '{slo.text()}' so far; the requests are {_some(names)}. "
            "If the SLO's name is misspelt, end the run and correct it"
            for slo in self._slos
            if names and not slo.choose(seen, self._tags)
        ]

    @property
    def abort_reason(self) -> str | None:
        """Return why the run has to end now: the sentence of a broken SLO marked `abort`."""
        for tracker in self._trackers.values():
            if tracker.slo.abort and tracker.broken_now:
                return tracker.result().sentence
        return None


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"{', '.join(names[:NAMES_SHOWN])}{more}"


def _together(slo: Slo, results: list[SloResult]) -> list[SloResult]:
    """Join the results of names that held into one, the nearest to the limit speaking for all."""
    held = [result for result in results if result.held]
    if len(held) < 2:
        return results
    nearest = held[0]
    for result in held[1:]:
        if slo.worse(result.measured or 0.0, nearest.measured or 0.0):
            nearest = result
    text = slo.text()
    others = "1 other name is" if len(held) == 2 else f"{len(held) - 1} other names are"
    sentence = f"{nearest.sentence}; {others} at least as far from the limit"
    joined = nearest.model_copy(
        update={"slo": text, "sentence": sentence, "method": slo.method, "name": slo.name}
    )
    return [joined, *(result for result in results if not result.held)]


def _groups(
    slo: Slo, entries: list[EntryStatistics]
) -> dict[tuple[str, str] | None, list[EntryStatistics]]:
    if slo.each_name:
        return {(entry.method, entry.name): [entry] for entry in entries}
    return {None: entries}


def all_held(results: Iterable[SloResult]) -> bool:
    """Tell whether a run may pass: an SLO that found nothing to measure did not hold."""
    return all(result.held is True for result in results)
