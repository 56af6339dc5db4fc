"""Writes what the collector has as text or OpenMetrics.

prometheus_client writes everything but the response-time histograms. Those are nine lines in ten,
and with 1,000 names its writer takes longer than a scrape may, so their lines are put together
here from parts that are kept between scrapes. A test holds the result against prometheus_client's
byte by byte.
"""

import threading
from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from exporter.collector import HISTOGRAM, HISTOGRAM_TEXT, LocustCollector
from exporter.histogram import EDGE_LABELS
from exporter.totals import Key, Totals

_END_OF_OPENMETRICS = b"# EOF\n"


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
        self._prefixes: dict[Key, list[str]] = {}
        self._lock = threading.Lock()

    def render(self, accept: str = "", *, as_of_last_snapshot: bool = False) -> tuple[str, bytes]:
        """Return content type and body for an `Accept` header; text when it asks for neither."""
        encode, content_type = choose_encoder(accept)
        if self._collector is None:
            return content_type, encode(self._registry)
        with self._lock:
            view = self._collector.view(as_of_last_snapshot=as_of_last_snapshot)
            self._listed.families = list(self._collector.overview(view))
            rest = encode(self._registry)
            self._forget(view.sums)
            histogram = "".join(self._histogram(view.sums)).encode()
        if rest.endswith(_END_OF_OPENMETRICS):
            return content_type, rest[: -len(_END_OF_OPENMETRICS)] + histogram + _END_OF_OPENMETRICS
        return content_type, rest + histogram

    def _histogram(self, sums: dict[Key, Totals]) -> Iterator[str]:
        yield f"# HELP {HISTOGRAM} {HISTOGRAM_TEXT}\n# TYPE {HISTOGRAM} histogram\n"
        for key, totals in sorted(sums.items()):
            prefixes = self._prefixes.get(key) or self._prefixes_of(key)
            total = 0
            for prefix, count in zip(prefixes, totals.buckets, strict=False):
                total += count
                yield f"{prefix}{_number(total)}\n"
            yield f"{prefixes[-2]}{_number(total)}\n"
            yield f"{prefixes[-1]}{floatToGoString(totals.response_time_total_ms / 1000)}\n"

    def _prefixes_of(self, key: Key) -> list[str]:
        method, name = (_escape(value) for value in key)
        labels = f'method="{method}",name="{name}"'
        prefixes = [f'{HISTOGRAM}_bucket{{le="{edge}",{labels}}} ' for edge in EDGE_LABELS]
        prefixes += [f"{HISTOGRAM}_{part}{{{labels}}} " for part in ("count", "sum")]
        self._prefixes[key] = prefixes
        return prefixes

    def _forget(self, sums: dict[Key, Totals]) -> None:
        for key in self._prefixes.keys() - sums.keys():
            del self._prefixes[key]


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(count: int) -> str:
    # Below a million Go and Python write a whole number alike.
    return f"{count}.0" if count < 1_000_000 else floatToGoString(count)
