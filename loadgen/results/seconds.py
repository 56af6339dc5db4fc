"""How many requests were answered in each second of a run, by the workers' own clocks."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from loadgen.shared.snapshot import SecondCount

SECONDS_MAX = 3600
# Counts of the newest seconds still grow: workers report once a second.
UNSETTLED_SECONDS = 30


@dataclass
class SecondBins:
    """Requests answered in each bin of `width` whole seconds (Unix)."""

    width: int = 1
    _recent: dict[int, SecondCount] = field(default_factory=dict)
    _bins: dict[int, tuple[int, int]] = field(default_factory=dict)

    def add(self, counts: Sequence[SecondCount]) -> None:
        """Take the newest counts; a second's newest count is the right one."""
        self._recent.update({count.second: count for count in counts})
        settled = max(self._recent, default=0) - UNSETTLED_SECONDS
        for second in [second for second in self._recent if second < settled]:
            self._settle(self._recent.pop(second))
        self._fit()

    def _fit(self) -> None:
        """Widen the bins until those from first to last are not too many, answers or none."""
        while self._span() // self.width > SECONDS_MAX:
            old, self._bins, self.width = self._bins, {}, 2 * self.width
            for begin, (requests, failures) in old.items():
                self._settle(SecondCount(begin, requests, failures))

    def _span(self) -> int:
        seconds = [*self._bins, *self._recent]
        return max(seconds) - min(seconds) if seconds else 0

    def _settle(self, count: SecondCount) -> None:
        begin = count.second // self.width * self.width
        requests, failures = self._bins.get(begin, (0, 0))
        self._bins[begin] = requests + count.requests, failures + count.failures

    def counts(self) -> list[SecondCount]:
        """Return the bins, oldest first, those without an answer as zeros."""
        whole = SecondBins(self.width, {}, dict(self._bins))
        for count in self._recent.values():
            whole._settle(count)
        bins = whole._bins
        if not bins:
            return []
        begins = range(min(bins), max(bins) + 1, self.width)
        return [SecondCount(begin, *bins.get(begin, (0, 0))) for begin in begins]
