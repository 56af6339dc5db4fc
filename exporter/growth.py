"""Counts that only grow: a snapshot whose counts went back, or are no numbers, is mended first.

Within an epoch every count of a master grows. A worker without the kit's reporter may say
otherwise (a response length of -5, a time of NaN), and a counter that decreases is a restart to
Prometheus: the whole count would be added again. What can't be is left at its last value and
counted, and everything else in the snapshot stands. Pure.
"""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from exporter.sound import sound, sound_row
from loadgen.shared.snapshot import EntryStatistics, Snapshot

DECREASED, NO_NUMBER = "decreased", "no_number"
FIELDS = ("requests", "failures", "response_time_total_ms", "response_bytes")
_NOTHING = EntryStatistics("", "", 0, 0, 0, {}, 0.0, None, 0.0, 0)


class Growth:
    """Compares each snapshot with the one before it in its epoch."""

    def __init__(self) -> None:
        self._epoch = ""
        self._before: dict[tuple[str, str], EntryStatistics] = {}
        self._refused: Counter[str] = Counter({DECREASED: 0, NO_NUMBER: 0})

    @property
    def refused(self) -> Mapping[str, int]:
        """How many values were left at their last one, by kind."""
        return self._refused

    def mended(self, snapshot: Snapshot) -> Snapshot:
        """Return the snapshot with what can't be left at what it was."""
        snapshot, wrong = sound(snapshot)
        self._refused[NO_NUMBER] += wrong
        if snapshot.epoch != self._epoch:
            self._epoch, self._before = snapshot.epoch, {}
        entries = [self._entry(entry) for entry in snapshot.entries]
        self._before = {(entry.method, entry.name): entry for entry in entries}
        same = all(new is old for new, old in zip(entries, snapshot.entries, strict=True))
        return snapshot if same else replace(snapshot, entries=entries)

    def _entry(self, entry: EntryStatistics) -> EntryStatistics:
        if not type(entry.method) is type(entry.name) is str:
            entry = self._sound(entry)
        before = self._before.get((entry.method, entry.name), _NOTHING)
        if entry == before:
            return before  # the same object, so its metrics needn't be made again
        entry = self._sound(entry)
        changes: dict[str, float] = {}
        for field in FIELDS:
            value, least = getattr(entry, field), getattr(before, field)
            # A NaN is neither below nor at least anything.
            if not least <= value < math.inf:
                # A value that is no number has been counted as such.
                self._refused[DECREASED] += value < least
                changes[field] = least
        if math.isnan(entry.requests_untimed):
            changes["requests_untimed"] = before.requests_untimed
        if not 0 <= entry.response_time_max_ms < math.inf:
            changes["response_time_max_ms"] = before.response_time_max_ms
        times = self._times(entry.response_times, before.response_times)
        if changes or times is not entry.response_times:
            return replace(entry, response_times=times, **changes)  # type: ignore[arg-type]
        return entry

    def _sound(self, entry: EntryStatistics) -> EntryStatistics:
        entry, wrong = sound_row(entry)
        self._refused[NO_NUMBER] += wrong
        return entry

    def _times(self, now: dict[float, int], before: dict[float, int]) -> dict[float, int]:
        count_of = now.get
        gone = {time: count for time, count in before.items() if count_of(time, 0) < count}
        wrong = [time for time in now if not 0 <= time < math.inf]
        if not gone and not wrong:
            return now
        self._refused[DECREASED] += len(gone)
        self._refused[NO_NUMBER] += len(wrong)
        return {time: count for time, count in (now | gone).items() if 0 <= time < math.inf}
