"""A run by name over time: counts and percentiles of the names that were seen first."""

from collections.abc import Sequence
from dataclasses import dataclass

from loadgen.shared.histograms import gain, merge, percentile
from loadgen.shared.snapshot import EntryStatistics

NAMES_MAX, NAME_WINDOWS_MAX = 20, 120
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class NameWindow:
    """One name in the `seconds` before `time`; percentiles in ms, None without an answer."""

    method: str
    name: str
    time: float
    seconds: float
    requests: int
    failures: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


@dataclass(frozen=True, slots=True)
class _NameGain:
    time: float
    seconds: float
    requests: dict[Key, int]
    failures: dict[Key, int]
    response_times: dict[Key, dict[float, int]]


class NameWindows:
    """Windows by name: short at first, twice as long whenever there are too many."""

    def __init__(self, began: float = 0.0) -> None:
        self._gains: list[_NameGain] = []
        self._width = 1.0
        self._time = began
        self._known: dict[Key, EntryStatistics | None] = {}

    def add(self, now: float, entries: Sequence[EntryStatistics], *, last: bool) -> None:
        """Take the counts so far; close a window when it is long enough, or the last."""
        if now - self._time < self._width and not last:
            return
        named = {(entry.method, entry.name): entry for entry in entries}
        for key in named:
            if len(self._known) < NAMES_MAX:
                self._known.setdefault(key, None)
        chosen = {key: named[key] for key in self._known if key in named}
        gain = self._gain(now, chosen)
        if now <= self._time and self._gains:
            # Answered within the last window, and reported after its end.
            gain = _join_names(self._gains.pop(), gain)
        self._gains.append(gain)
        self._known.update(chosen)
        self._time = max(now, self._time)
        if len(self._gains) > NAME_WINDOWS_MAX:
            pairs = zip(self._gains[::2], self._gains[1::2], strict=False)
            rest = self._gains[len(self._gains) // 2 * 2 :]
            self._gains = [_join_names(*pair) for pair in pairs] + rest
            self._width *= 2

    def _gain(self, now: float, chosen: dict[Key, EntryStatistics]) -> _NameGain:
        before = {key: self._known[key] for key in chosen}
        return _NameGain(
            time=max(now, self._time),
            seconds=max(0.0, now - self._time),
            requests={k: e.requests - (b.requests if (b := before[k]) else 0)
                      for k, e in chosen.items()},
            failures={k: e.failures - (b.failures if (b := before[k]) else 0)
                      for k, e in chosen.items()},
            response_times={
                k: gain(e.response_times, b.response_times if (b := before[k]) else {})
                for k, e in chosen.items()
            },
        )  # fmt: skip

    def windows(self) -> list[NameWindow]:
        """Return every window with a request."""
        return [
            _window(gain, key) for gain in self._gains for key, n in gain.requests.items() if n > 0
        ]


def _join_names(earlier: _NameGain, later: _NameGain) -> _NameGain:
    keys = {**earlier.requests, **later.requests}
    return _NameGain(
        time=later.time,
        seconds=earlier.seconds + later.seconds,
        requests={k: earlier.requests.get(k, 0) + later.requests.get(k, 0) for k in keys},
        failures={k: earlier.failures.get(k, 0) + later.failures.get(k, 0) for k in keys},
        response_times={
            k: merge([earlier.response_times.get(k, {}), later.response_times.get(k, {})])
            for k in keys
        },
    )


def _window(gain: _NameGain, key: Key) -> NameWindow:
    times = gain.response_times[key]
    p50, p95, p99 = (percentile(times, part) for part in (0.5, 0.95, 0.99))
    requests, failures = gain.requests[key], gain.failures[key]
    return NameWindow(*key, gain.time, gain.seconds, requests, failures, p50, p95, p99)
