"""Checks of what is missing in a run's statistics: workers, samples, requests, time.

Each is one of the checks of `loadgen.judging.validity` and reads snapshots alone.
"""

import math
from dataclasses import dataclass, field

from loadgen.judging.check import Reason
from loadgen.shared.snapshot import BEYOND_BOUNDS, EntryStatistics, Snapshot
from loadgen.shared.text import clock

ARRIVAL_RATIO_MIN = 0.95


ARRIVAL_METHOD = "ARRIVAL"


NOT_SENT = "not sent"


@dataclass
class ArrivalRate:
    """An open-model run in which fewer requests were sent than were due.

    Rows of the method ARRIVAL (see `loadgen/scenario/shapes/arrival.py`) count every due arrival,
    also one that was not sent or not finished; without such rows every request counts as one.
    """

    rate_per_second: float
    _first_dropped: float | None = None
    _last: Snapshot | None = None

    def add(self, snapshot: Snapshot) -> None:
        """Note when arrivals were first dropped."""
        self._last = snapshot
        if self._first_dropped is None and _dropped(snapshot):
            self._first_dropped = snapshot.time

    def reasons(self) -> list[Reason]:
        """Return dropped arrivals, and at the end a rate that was not reached."""
        last = self._last
        if last is None or last.measured_from is None:
            return []
        reasons = []
        if self._first_dropped is not None:
            sentence = (
                f"from {clock(self._first_dropped)} {_dropped(last):,} arrivals were not "
                f"sent, because too many were still in progress: add workers, or raise "
                f"--arrival-max-in-flight"
            )
            reasons.append(Reason("arrival_rate", self._first_dropped, sentence))
        seconds = last.measured_seconds
        sent = _arrivals(last) - _dropped(last)
        if last.final and sent < self._fewest(seconds):
            sentence = (
                f"in the {seconds:.0f} s before {clock(last.measured_from + seconds)}, {sent:,} "
                f"requests were sent. That is {sent / seconds:.4g}/s, but "
                f"{self.rate_per_second:.4g}/s were asked for: add workers or worker hosts"
            )
            reasons.append(Reason("arrival_rate", last.time, sentence))
        return reasons

    def _fewest(self, seconds: float) -> float:
        """Return how many are enough: 95 %, or what chance leaves of random arrivals."""
        due = self.rate_per_second * seconds
        # Users start in the first second; up to four standard deviations are taken for chance.
        return min(ARRIVAL_RATIO_MIN * due, due - 4 * math.sqrt(due)) - self.rate_per_second


def _arrivals(snapshot: Snapshot) -> int:
    # A request that was answered after the load's end had been sent before it.
    answered = _answered(snapshot)
    rows = [entry.requests for entry in answered if entry.method == ARRIVAL_METHOD]
    return sum(rows) if rows else sum(entry.requests for entry in answered)


def _dropped(snapshot: Snapshot) -> int:
    return sum(
        error.occurrences
        for error in snapshot.errors
        if error.method == ARRIVAL_METHOD and NOT_SENT in error.error
    )


UNSEEN_SECONDS = 2.0
"""A report comes once a second and is seen in a snapshot up to a second later."""
LOST_RATIO_MAX = 0.01
"""As for failed requests without SLOs of one's own."""


@dataclass
class _Pace:
    """How fast a worker's own count of requests grows, from one snapshot to the next."""

    at: float
    requests: int = 0
    peak_per_second: float = 0.0

    def add(self, now: float, requests: int) -> None:
        if requests > self.requests and now > self.at:
            self.peak_per_second = max(
                self.peak_per_second, (requests - self.requests) / (now - self.at)
            )
        if requests != self.requests:
            self.at, self.requests = now, requests

    def unreported_max(self, lost_at: float) -> int:
        """Return how many requests at most can have gone unreported until `lost_at`."""
        return math.ceil(self.peak_per_second * (lost_at - self.at + UNSEEN_SECONDS))


@dataclass
class LostWorkers:
    """Workers that went missing or left without being asked."""

    _seen: dict[str, _Pace] = field(default_factory=dict)
    _lost: list[tuple[float, int, dict[str, _Pace]]] = field(default_factory=list)
    _count: int = 0

    def add(self, snapshot: Snapshot) -> None:
        """Compare the workers with those of the snapshot before."""
        present = {worker.id for worker in snapshot.workers if worker.state != "missing"}
        began = snapshot.test_started_at or snapshot.time
        for worker in snapshot.workers:
            if worker.id in present or worker.id in self._seen:
                pace = self._seen.setdefault(worker.id, _Pace(began))
                pace.add(snapshot.time, worker.requests_sent)
        if snapshot.workers_lost > self._count:
            gone = {
                worker: self._seen.pop(worker) for worker in sorted(self._seen.keys() - present)
            }
            self._lost.append((snapshot.time, snapshot.workers_lost - self._count, gone))
        self._count = snapshot.workers_lost

    def reasons(self) -> list[Reason]:
        """Return each loss, and how many samples it can have cost."""
        return [
            Reason(
                "lost_worker",
                at,
                f"at {clock(at)} {_sentence(count, at, gone)}",
            )
            for at, count, gone in self._lost
        ]


def _sentence(count: int, at: float, gone: dict[str, _Pace]) -> str:
    names, bound = ", ".join(gone) or "name unknown", _bound(at, gone)
    if count == 1:
        return (
            f"1 worker was lost ({names}): its users stopped, and the samples that it had not "
            f"reported are missing ({bound}); see the log of its host"
        )
    return (
        f"{count} workers were lost ({names}): their users stopped, and the samples that they had "
        f"not reported are missing ({bound}); see the logs of their hosts"
    )


def _bound(at: float, gone: dict[str, _Pace]) -> str:
    if not gone or not all(pace.peak_per_second for pace in gone.values()):
        return "how many is not known"
    most = sum(pace.unreported_max(at) for pace in gone.values())
    rate = sum(pace.peak_per_second for pace in gone.values())
    return (
        f"at most {most:,} requests up to that time, and {rate:,.0f} more for each "
        f"second that the worker kept running without contact"
    )


@dataclass
class LostSamples:
    """Finds, at the end, requests that a worker counted and the master did not, or the reverse."""

    _final: Snapshot | None = None

    def add(self, snapshot: Snapshot) -> None:
        """Keep the final snapshot; before it, reports are on their way."""
        if snapshot.final:
            self._final = snapshot

    def reasons(self) -> list[Reason]:
        """Return each worker whose counts differ, and how many never gave their last ones."""
        if self._final is None:
            return []
        at, sentences = self._final.time, []
        if self._final.workers_unfinished:
            sentences.append(
                f"at {clock(at)} {self._final.workers_unfinished} of the workers had not sent "
                "their last statistics, so what they counted since their last report is missing. "
                + self._cause()
            )
        total, named = self._final.requests_total, _requests(self._final)
        if total is not None and total != named:
            sentences.append(
                f"at {clock(at)} the requests by name add up to {named:,}, but Locust's total is "
                f"{total:,}: they must be equal. Look for code in the locustfile that changes the "
                "statistics"
            )
        sentences += [
            f"at {clock(at)} the master received {worker.requests_received:,} requests of worker "
            f"{worker.id}, but that worker counted {worker.requests_sent:,}: the counts must match "
            f"exactly, and they differ by "
            f"{abs(worker.requests_sent - worker.requests_received):,}"
            for worker in self._final.workers
            if worker.requests_sent != worker.requests_received
        ]
        return [Reason("lost_samples", at, sentence) for sentence in sentences]

    def _cause(self) -> str:
        workers = self._final.workers if self._final else []
        for worker in workers:
            if worker.held_up:
                return (
                    f"Worker {worker.id} waits for {worker.held_up}. Make sure that this code "
                    f"ends when the user is stopped, or give a longer --stop-timeout"
                )
        return "See the logs of their hosts"


REFUSED = {
    "time_refused": (
        True,
        "response times were not finite numbers: these requests count without a time",
    ),
    "time_negative": (True, "response times were below 0: they count as 0 ms"),
    "length_refused": (
        False,
        "response lengths were negative or not numbers: they count as 0 bytes",
    ),
    "text_escaped": (
        False,
        "names or errors contain characters that UTF-8 can't encode: they are written as escape "
        "codes",
    ),
}
"""By kind (see `loadgen.node.statistics.odd_values`): whether it is about times, and the words."""


@dataclass
class RefusedValues:
    """Values of requests that could not be counted as they were; many wrong times are too many."""

    _last: Snapshot | None = None
    _first: dict[str, float] = field(default_factory=dict)

    def add(self, snapshot: Snapshot) -> None:
        """Note when each kind came first."""
        self._last = snapshot
        for kind in snapshot.refused:
            self._first.setdefault(kind, snapshot.time)

    def reasons(self) -> list[Reason]:
        """Return one a kind, invalid when more than one time in a hundred is meant."""
        if self._last is None:
            return []
        most = LOST_RATIO_MAX * _requests(self._last)
        reasons = []
        for kind, count in self._last.refused.items():
            of_time, words = REFUSED.get(kind, (False, f"values were refused ({kind})"))
            sentence = f"from {clock(self._first[kind])} {count:,} {words}; see the locustfile"
            reason = Reason("refused_values", self._first[kind], sentence, of_time and count > most)
            reasons.append(reason)
        return reasons


@dataclass
class CutRequests:
    """Requests that still waited for their answer when the stop timeout was over.

    They are in no count, so a target that has stopped answering would look like a good one.
    """

    _at_stop: tuple[float, int] | None = None
    _final: Snapshot | None = None

    def add(self, snapshot: Snapshot) -> None:
        """Keep the count at the end of the load, and the final snapshot."""
        if snapshot.load_stopped_at and self._at_stop is None:
            self._at_stop = (snapshot.load_stopped_at, _requests(snapshot))
        if snapshot.final:
            self._final = snapshot

    def reasons(self) -> list[Reason]:
        """Return one when many were cut, or when none was answered any more."""
        final = self._final
        cut = sum(worker.requests_cut for worker in final.workers) if final else 0
        if final is None or not cut:
            return []
        at, before = self._at_stop or (final.time, 0)
        silent = _requests(final) <= before
        if not silent and cut <= LOST_RATIO_MAX * _requests(final):
            return []
        sentence = (
            f"when the load ended at {clock(at)}, {cut:,} requests got no answer within the stop "
            f"timeout{' (no other request was answered either)' if silent else ''}. No count "
            "includes them. Check that the target still answers, or give a longer --stop-timeout"
        )
        return [Reason("cut_requests", at, sentence)]


@dataclass
class NamesBeyond:
    """Requests of so many names that the master counts the rest of them in one row."""

    _first: float | None = None
    _last: Snapshot | None = None

    def add(self, snapshot: Snapshot) -> None:
        """Note when the first came."""
        self._last = snapshot
        if self._first is None and _beyond(snapshot):
            self._first = snapshot.time

    def reasons(self) -> list[Reason]:
        """Return a note: the totals are right, and the rows of these names are missing."""
        if self._first is None or self._last is None:
            return []
        sentence = (
            f"from {clock(self._first)} {_beyond(self._last):,} requests had names "
            f"beyond the limit on the number of names; they are counted in the row "
            f"{BEYOND_BOUNDS}. Give requests that do the same "
            "thing one name (name=…, or group_path of loadgen.scenario)"
        )
        return [Reason("names", self._first, sentence, invalidates=False)]


def _beyond(snapshot: Snapshot) -> int:
    return sum(one.requests for one in _answered(snapshot) if one.name == BEYOND_BOUNDS)


def _answered(snapshot: Snapshot) -> list[EntryStatistics]:
    """Return what was answered within the measured interval and after it."""
    return [*snapshot.entries, *snapshot.entries_after]


def _requests(snapshot: Snapshot) -> int:
    return sum(entry.requests for entry in _answered(snapshot))
