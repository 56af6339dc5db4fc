"""Families with a sample for each `(method, name)`, written in a few microseconds a line.

With 1,000 names they are ten thousand lines. prometheus_client's own classes check and sort each
sample's labels again; here the labels of a name are written once and kept between scrapes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import is_, itemgetter
from typing import Literal

from prometheus_client import Metric
from prometheus_client.utils import floatToGoString

from exporter.runs import quantiles_of
from exporter.totals import Key, Limits, Sums
from loadgen.shared.histograms import mean, merge
from loadgen.shared.snapshot import EntryStatistics, Snapshot

Row = tuple[Key, str, float]
"""(method, name); a quantile or ""; value."""


@dataclass(frozen=True, slots=True)
class ByName:
    """One family; a counter's `metric` ends in `_total`. `run_id` is a label where it is given."""

    metric: str
    text: str
    kind: Literal["counter", "gauge"]
    rows: Sequence[Row]
    run_id: str | None = None

    def family(self) -> Metric:
        """Return it as prometheus_client has it."""
        family = Metric(self.metric.removesuffix("_total"), self.text, self.kind)
        for (method, name), quantile, value in self.rows:
            labels = {"method": method, "name": name}
            labels |= {"ratio": quantile} if quantile else {}
            labels |= {} if self.run_id is None else {"run_id": self.run_id}
            family.add_sample(self.metric, labels, value)
        return family

    def lines(self, label_texts: dict[Key, str], *, openmetrics: bool) -> Iterator[str]:
        """Write it; `label_texts` keeps the text of each name's labels."""
        head = self.metric.removesuffix("_total") if openmetrics else self.metric
        yield f"# HELP {head} {self.text}\n# TYPE {head} {self.kind}\n"
        run = "" if self.run_id is None else f',run_id="{escape(self.run_id)}"'
        for key, quantile, value in self.rows:
            labels = label_texts.get(key) or label_texts.setdefault(key, labels_of(key))
            of = f',ratio="{quantile}"' if quantile else ""
            yield f"{self.metric}{{{labels}{of}{run}}} {floatToGoString(value)}\n"


def labels_of(key: Key) -> str:
    """Return a name's labels as an exposition has them, without braces."""
    method, name = (escape(value) for value in key)
    return f'method="{method}",name="{name}"'


def escape(value: str) -> str:
    """Return a label's value as both formats have it."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def counters(sums: dict[Key, Sums]) -> Iterator[ByName]:
    """Yield what has been counted in all tests."""
    ordered = sorted(sums.items())

    def rows(field: str) -> list[Row]:
        return [(key, "", getattr(totals, field)) for key, totals in ordered]

    yield ByName("locust_requests_total", "Requests.", "counter", rows("requests"))
    yield ByName("locust_requests_failed_total", "Failures.", "counter", rows("failures"))
    text = "Bytes of response bodies."
    yield ByName("locust_response_bytes_total", text, "counter", rows("response_bytes"))


Entries = tuple[EntryStatistics, ...]


class Figures:
    """What the run's names have come to so far, exactly; see `exporter.runs`."""

    def __init__(self) -> None:
        # By label: its entries, each the same object until it changes, and what was made of them.
        self._known: dict[Key, tuple[Entries, Mapping[str, float]]] = {}

    def families(self, snapshot: Snapshot, limits: Limits) -> Iterator[ByName]:
        """Yield a run's families."""
        averages: list[Row] = []
        times: list[Row] = []
        ordered = sorted(_by_label(snapshot.entries, limits).items(), key=itemgetter(0))
        self._known = {key: (some, self._quantiles(key, some)) for key, some in ordered}
        for key, (some, found) in self._known.items():
            average = mean(
                sum(entry.response_time_total_ms for entry in some),
                sum(entry.requests - entry.requests_untimed for entry in some),
            )
            if average is not None:
                averages.append((key, "", average / 1000))
            times += [(key, quantile, seconds) for quantile, seconds in found.items()]
        requests = [(key, "", sum(entry.requests for entry in some)) for key, some in ordered]
        failures = [(key, "", sum(entry.failures for entry in some)) for key, some in ordered]
        for name, text, rows in (
            ("requests", "Requests of this run.", requests),
            ("failures", "Failures of this run.", failures),
            ("response_time_average_seconds", "Mean response time of this run.", averages),
            ("response_time_seconds", "Exact quantiles of this run; 1 is the maximum.", times),
        ):
            yield ByName(f"locust_run_name_{name}", text, "gauge", rows, snapshot.run_id)

    def _quantiles(self, key: Key, entries: Entries) -> Mapping[str, float]:
        known, found = self._known.get(key, ((), {}))
        if len(known) == len(entries) and all(map(is_, known, entries)):
            return found
        if len(entries) == 1:
            times = entries[0].response_times
        else:
            times = merge(entry.response_times for entry in entries)
        fastest = (entry.response_time_min_ms for entry in entries if entry.response_times)
        return quantiles_of(
            times,
            max(entry.response_time_max_ms for entry in entries),
            min((one for one in fastest if one is not None), default=None),
        )


def _by_label(entries: Sequence[EntryStatistics], limits: Limits) -> dict[Key, Entries]:
    """Return entries by their labels; those alike once clipped, or over the limit, share one."""
    labelled: dict[Key, list[EntryStatistics]] = {}
    for entry in entries:
        key = limits.clip(entry.method), limits.clip(entry.name)
        if key not in labelled and len(labelled) >= limits.names:
            key = limits.overflow
        labelled.setdefault(key, []).append(entry)
    return {key: tuple(some) for key, some in labelled.items()}
