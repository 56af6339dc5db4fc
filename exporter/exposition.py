"""Writes what the collector has as text or OpenMetrics.

prometheus_client writes everything but what each name has a sample of, the histograms above all.
That is nearly all lines, and with 1,000 names its writer takes longer than a scrape may, so labels
are kept between scrapes and numbers filled in here. A test holds the result against
prometheus_client's byte by byte.
"""

import threading
from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from exporter.by_name import labels_of
from exporter.collector import HISTOGRAM, HISTOGRAM_TEXT, LocustCollector
from exporter.histogram import EDGE_LABELS
from exporter.totals import Key, Totals

_END_OF_OPENMETRICS = b"# EOF\n"
GO_WRITES_DIGITS_BELOW = 1_000_000
"""Below it Go, whose form prometheus_client keeps, writes a whole number as Python does."""


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
        self._lines: dict[Key, bytes] = {}
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
            histogram = b"".join(self._histogram(_merged(view.sums) if merged else view.sums))
        if openmetrics:
            rest, end = rest[: -len(_END_OF_OPENMETRICS)], _END_OF_OPENMETRICS
            return content_type, b"".join((rest, by_name, histogram, end))
        return content_type, b"".join((rest, by_name, histogram))

    def _histogram(self, sums: dict[Key, Totals]) -> Iterator[bytes]:
        yield f"# HELP {HISTOGRAM} {HISTOGRAM_TEXT}\n# TYPE {HISTOGRAM} histogram\n".encode()
        for key, totals in sorted(sums.items()):
            lines = self._lines.get(key) or self._lines_of(key)
            counts = tuple(accumulate(totals.buckets))
            seconds = floatToGoString(totals.response_time_total_ms / 1000).encode()
            if counts[-1] < GO_WRITES_DIGITS_BELOW:
                yield lines % (*counts, counts[-1], seconds)
            else:
                numbers = [floatToGoString(count).encode() for count in counts]
                yield _with_places(key, "%b") % (*numbers, numbers[-1], seconds)

    def _lines_of(self, key: Key) -> bytes:
        self._lines[key] = _with_places(key, "%d.0")
        return self._lines[key]

    def _forget(self, sums: dict[Key, Totals]) -> None:
        for key in self._lines.keys() - sums.keys():
            del self._lines[key]
        for key in self._labels.keys() - sums.keys():
            del self._labels[key]


def _merged(sums: dict[Key, Totals]) -> dict[Key, Totals]:
    total = Totals()
    for one in sums.values():
        total.response_time_total_ms += one.response_time_total_ms
    counts = zip(*(one.buckets for one in sums.values()), strict=True)
    total.buckets = [sum(column) for column in counts] or total.buckets
    return {("", ""): total}


def _with_places(key: Key, number: str) -> bytes:
    """Return a name's lines with a place for each number: filling them in is quick."""
    labels = labels_of(key).replace("%", "%%")
    lines = [f'{HISTOGRAM}_bucket{{le="{edge}",{labels}}} {number}\n' for edge in EDGE_LABELS]
    lines += [f"{HISTOGRAM}_count{{{labels}}} {number}\n", f"{HISTOGRAM}_sum{{{labels}}} %b\n"]
    return "".join(lines).encode()
