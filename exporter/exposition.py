"""Writes what the collector has as text or OpenMetrics.

prometheus_client writes everything but what each name has a sample of, the histograms above all.
That is nearly all lines, and with 1,000 names its writer takes longer than a scrape may, so labels
are kept between scrapes and numbers filled in here. A test holds the result against
prometheus_client's byte by byte.
"""

import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from exporter.by_name import labels_of
from exporter.collector import HISTOGRAM, HISTOGRAM_TEXT, LocustCollector
from exporter.histogram import EDGE_LABELS
from exporter.totals import Key, Sums

_END_OF_OPENMETRICS = b"# EOF\n"
GO_WRITES_DIGITS_BELOW = 1_000_000
_STARTS = tuple(f'{HISTOGRAM}_bucket{{le="{edge}",'.encode() for edge in EDGE_LABELS)
_COUNT, _SUM = f"{HISTOGRAM}_count{{".encode(), f"{HISTOGRAM}_sum{{".encode()


class _Listed(Collector):
    """Yields families that were collected beforehand."""

    def __init__(self) -> None:
        self.families: list[Metric] = []

    def collect(self) -> Iterable[Metric]:
        return self.families


class Exposition:
    """Renders scrapes of a collector and of `others` with it; safe to call from many threads."""

    def __init__(self, collector: LocustCollector | None, *others: Collector) -> None:
        self._collector = collector
        self._listed = _Listed()
        self._registry = CollectorRegistry()
        self._registry.register(self._listed)
        for other in others:
            self._registry.register(other)
        self._blocks: dict[Key, _Block] = {}
        self._labels: dict[Key, str] = {}
        self._lock = threading.Lock()

    def render(
        self, accept: str = "", *, as_of_last_snapshot: bool = False, merged: bool = False
    ) -> tuple[str, bytes]:
        """Return content type and body for an `Accept` header; text when it asks for neither.

        With `merged` one histogram, of an empty method and name, stands for those of all names.
        """
        encode, content_type = choose_encoder(accept)
        if self._collector is None:
            return content_type, encode(self._registry)
        with self._lock:
            view = self._collector.view(as_of_last_snapshot=as_of_last_snapshot)
            self._listed.families = list(self._collector.overview(view))
            rest = encode(self._registry)
            self._forget(view.sums)
            openmetrics = rest.endswith(_END_OF_OPENMETRICS)
            by_name = "".join(
                line
                for family in self._collector.by_name(view)
                for line in family.lines(self._labels, openmetrics=openmetrics)
            ).encode()
            end = _END_OF_OPENMETRICS if openmetrics else b""
            histograms = self._histograms(_merged(view.sums) if merged else view.sums)
            return content_type, b"".join((rest.removesuffix(end), by_name, *histograms, end))

    def _histograms(self, sums: dict[Key, Sums]) -> Iterator[bytes]:
        yield f"# HELP {HISTOGRAM} {HISTOGRAM_TEXT}\n# TYPE {HISTOGRAM} histogram\n".encode()
        for key, totals in sorted(sums.items()):
            block = self._blocks.get(key) or self._blocks.setdefault(key, _Block(key))
            yield block.text_of(totals)

    def _forget(self, sums: dict[Key, Sums]) -> None:
        for key in self._blocks.keys() - sums.keys():
            del self._blocks[key]
        for key in self._labels.keys() - sums.keys():
            del self._labels[key]


def _merged(sums: dict[Key, Sums]) -> dict[Key, Sums]:
    total = Sums()
    for one in sums.values():
        total.response_time_total_ms += one.response_time_total_ms
    counts = zip(*(one.buckets for one in sums.values()), strict=True)
    total.buckets = [sum(column) for column in counts] or total.buckets
    return {("", ""): total}


class _Block:
    """The lines of one name's histogram; what hasn't changed is not written again."""

    def __init__(self, key: Key) -> None:
        labels = labels_of(key).encode()
        self._before_number = labels + b"} "
        self._shown: tuple[list[int], float] = ([], 0.0)
        self._text = b""

    def text_of(self, totals: Sums) -> bytes:
        """Return the lines with these counts."""
        shown = (totals.buckets, totals.response_time_total_ms)
        if shown != self._shown:
            self._text, self._shown = b"".join(self._parts(*shown)), shown
        return self._text

    def _parts(self, buckets: list[int], milliseconds: float) -> Iterator[bytes]:
        counts = list(accumulate(buckets))
        # Edges before the first response are all zero and those from the last on all the same:
        # most of the lines. The part that these lines share is inserted in one step.
        first, last = bisect_left(counts, 1), bisect_left(counts, counts[-1])
        zero, total = self._before_number + b"0.0\n", self._before_number + _number(counts[-1])
        total += b"\n"
        if first:
            yield zero.join(_STARTS[:first])
            yield zero
        if first < last:
            small = counts[-1] < GO_WRITES_DIGITS_BELOW
            place = self._before_number.replace(b"%", b"%%") + (b"%d.0\n" if small else b"%b\n")
            numbers = counts[first:last] if small else map(_number, counts[first:last])
            yield place.join((*_STARTS[first:last], b"")) % tuple(numbers)
        yield total.join((*_STARTS[max(first, last) :], _COUNT, b""))
        seconds = floatToGoString(milliseconds / 1000).encode()
        yield b"".join((_SUM, self._before_number, seconds, b"\n"))


def _number(count: int) -> bytes:
    """Write a whole number as Go does, whose form prometheus_client keeps."""
    return b"%d.0" % count if count < GO_WRITES_DIGITS_BELOW else floatToGoString(count).encode()
