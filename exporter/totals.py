"""Counts that never go backwards, from snapshots whose counts start again at every epoch.

`Sums` holds one `(method, name)`. `Fold` adds the epochs up: what closed epochs came to, plus the
current one, under labels whose number is bounded. Pure; the collector gives it its snapshots.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import isfinite
from operator import add

from exporter.histogram import BUCKETS, count_into_buckets
from loadgen.shared.snapshot import OTHER_ERRORS, EntryStatistics, ErrorCount, Snapshot

Key = tuple[str, str]
"""(method, name), as labels."""

CLIPPED = "…"


@dataclass(frozen=True, slots=True)
class Limits:
    """How many label values there may be; what is beyond goes to one series that says so."""

    names: int = 1000
    errors_per_name: int = 20
    label_characters: int = 200
    run_errors: int = 100

    @property
    def overflow(self) -> Key:
        """The series that takes the names over the limit."""
        return ("", f"other names (over the limit of {self.names})")

    def clip(self, label: str) -> str:
        """Shorten a label value to the limit, visibly."""
        if len(label) <= self.label_characters:
            return label
        return label[: self.label_characters - 1] + CLIPPED


@dataclass(slots=True)
class Sums:
    """Sums of one `(method, name)`: counts, milliseconds, bytes; buckets are not cumulative."""

    requests: int = 0
    failures: int = 0
    response_time_total_ms: float = 0.0
    response_bytes: int = 0
    buckets: list[int] = field(default_factory=lambda: [0] * BUCKETS)
    errors: dict[str, int] = field(default_factory=dict)

    def copy(self) -> "Sums":
        """Return a copy that may be added to."""
        return replace(self, buckets=self.buckets.copy(), errors=self.errors.copy())

    def add_entry(self, entry: EntryStatistics, buckets: list[int]) -> None:
        """Add an entry of a snapshot, whose times are in `buckets`; its errors by `add_error`."""
        self.requests += entry.requests
        self.failures += entry.failures
        self.response_time_total_ms += entry.response_time_total_ms
        self.response_bytes += entry.response_bytes
        self.buckets = list(map(add, self.buckets, buckets))

    def add_error(self, error: str, occurrences: int) -> None:
        """Add occurrences of one error."""
        self.errors[error] = self.errors.get(error, 0) + occurrences

    @property
    def errors_named(self) -> dict[str, int]:
        """Failures by error; those without a label of their own are under `OTHER_ERRORS`."""
        rest = self.failures - sum(self.errors.values())
        return {**self.errors, OTHER_ERRORS: rest} if rest > 0 else dict(self.errors)


class Fold:
    """Adds up epochs. Feed it every snapshot; ask `current` for the sums up to one of them."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.epoch = ""
        self.base: dict[Key, Sums] = {}
        self.names_over_limit = 0
        self._admitted: set[Key] = set()
        self._admitted_errors: dict[Key, set[str]] = {}
        self._last: Snapshot | None = None
        self._counted: dict[Key, tuple[EntryStatistics, list[int]]] = {}
        self._seen: dict[Key, Sums] | None = None

    def restore(
        self, epoch: str, base: dict[Key, Sums], seen: dict[Key, Sums] | None = None
    ) -> None:
        """Go on after a restart: `base` holds what came before `epoch`.

        `seen` holds what came until the end of the earlier process, where it could still say so.
        """
        self.epoch, self.base, self._seen = epoch, base, seen
        known = base if seen is None else seen
        self._admitted = set(known) - {self.limits.overflow}
        self._admitted_errors = {key: set(totals.errors) for key, totals in known.items()}

    def update(self, snapshot: Snapshot) -> bool:
        """Take in a snapshot; return True when it begins another epoch."""
        begins = snapshot.epoch != self.epoch
        if begins and self._last is not None:
            self.base = self.current()
        elif begins:
            # If it was killed during another test, what happened in between is unknown. Counts
            # from zero are a counter reset, which increase() handles; a guess would be counted
            # twice.
            self.restore(snapshot.epoch, self._seen or {})
        if begins:
            self._counted = {}
        self.epoch, self._last, self._seen = snapshot.epoch, snapshot, None
        return begins

    def current(self) -> dict[Key, Sums]:
        """Return the sums over all epochs, as fresh objects."""
        base = self.base if self._seen is None else self._seen
        sums = {key: totals.copy() for key, totals in base.items()}
        if self._last is not None:
            self._add_entries(self._last.entries, sums)
            self._add_errors(self._last.errors, sums)
        return sums

    def _add_entries(self, entries: Iterable[EntryStatistics], sums: dict[Key, Sums]) -> None:
        over = 0
        present = {self._label(entry.method, entry.name) for entry in entries}
        for entry in entries:
            key = self._admit(self._label(entry.method, entry.name), present, sums)
            over += key == self.limits.overflow
            sums.setdefault(key, Sums()).add_entry(entry, self._counted_of(entry))
        self.names_over_limit = over

    def _counted_of(self, entry: EntryStatistics) -> list[int]:
        """Return an entry's buckets; an entry stays the same object until it changes."""
        name = entry.method, entry.name
        known, buckets = self._counted.get(name, (None, []))
        if known is not entry:
            buckets = [0] * BUCKETS
            count_into_buckets(entry.response_times, buckets)
            self._counted[name] = entry, buckets
        return buckets

    def _add_errors(self, errors: Iterable[ErrorCount], sums: dict[Key, Sums]) -> None:
        for error in errors:
            label = self._label(error.method, error.name)
            key = label if label in self._admitted else self.limits.overflow
            text = self._admit_error(key, self.limits.clip(error.error))
            if text and key in sums and isfinite(error.occurrences):
                sums[key].add_error(text, error.occurrences)

    def _label(self, method: str, name: str) -> Key:
        return self.limits.clip(method), self.limits.clip(name)

    def _admit(self, key: Key, present: set[Key], sums: dict[Key, Sums]) -> Key:
        if key in self._admitted:
            return key
        if len(self._admitted) >= self.limits.names:
            self._forget_absent(present, sums)
        if len(self._admitted) >= self.limits.names:
            return self.limits.overflow
        self._admitted.add(key)
        return key

    def _forget_absent(self, present: set[Key], sums: dict[Key, Sums]) -> None:
        """Make room: names of earlier tests that this one hasn't used end as series."""
        for key in self._admitted - present:
            self._admitted.discard(key)
            self._admitted_errors.pop(key, None)
            self.base.pop(key, None)
            sums.pop(key, None)

    def _admit_error(self, key: Key, error: str) -> str | None:
        admitted = self._admitted_errors.setdefault(key, set())
        if error in admitted or len(admitted) < self.limits.errors_per_name:
            admitted.add(error)
            return error
        return None
