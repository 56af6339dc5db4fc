"""A Prometheus with a history that is made, so that odd hours take no hours.

Scrapes are what an exporter would answer at a time; they are given to Prometheus by remote write
with the marks that it sets itself where a series ends or a target is down. What dashboards show of
them is evaluated as of any time.
"""

import re
import struct
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from exporter.collector import LocustCollector
from exporter.exposition import Exposition
from exporter.runs import RunsCollector
from loadgen.shared.snapshot import Snapshot
from loadgen.watch import monitoring
from tests.monitoring.prometheus_api import Prometheus
from tests.ports import free_port

Labels = tuple[tuple[str, str], ...]
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
SLICE_MS = 600_000
EXEMPT = re.compile(r"(python|process)_")


@dataclass
class History:
    """Samples by series: [(milliseconds, value)]."""

    samples: dict[Labels, list[tuple[int, float]]] = field(default_factory=dict)
    _shown: dict[Labels, set[Labels]] = field(default_factory=dict)

    def scrape(self, at: float, text: str, **target: str) -> None:
        """Take what a target answers at a time; an empty text: it is down."""
        of_target, moment = _labels(target), round(at * 1000)
        shown: set[Labels] = set()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if not EXEMPT.match(sample.name):
                    series = _labels({"__name__": sample.name} | sample.labels | target)
                    self.samples.setdefault(series, []).append((moment, float(sample.value)))
                    shown.add(series)
        for series in self._shown.get(of_target, set()) - shown:
            self.samples[series].append((moment, STALE))
        self._shown[of_target] = shown

    def requests(self) -> Iterator[bytes]:
        """Yield the bodies of remote writes, in the order of time."""
        times = [moment for samples in self.samples.values() for moment, _ in samples]
        for begin in range(min(times), max(times) + 1, SLICE_MS):
            within = range(begin, begin + SLICE_MS)
            series = (
                (labels, [one for one in samples if one[0] in within])
                for labels, samples in self.samples.items()
            )
            yield b"".join(_field(1, _series(labels, some)) for labels, some in series if some)


def _labels(labels: dict[str, str]) -> Labels:
    return tuple(sorted((name, value) for name, value in labels.items() if value))


# Protobuf and snappy as remote write has them (prompb.WriteRequest; literals alone are valid).
def _varint(number: int) -> bytes:
    made = b""
    while number > 127:
        made += bytes([number & 127 | 128])
        number >>= 7
    return made + bytes([number])


def _field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _series(labels: Labels, samples: Sequence[tuple[int, float]]) -> bytes:
    pairs = (_field(1, name.encode()) + _field(2, value.encode()) for name, value in labels)
    points = (
        b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(moment) for moment, value in samples
    )
    return b"".join(_field(1, pair) for pair in pairs) + b"".join(
        _field(2, point) for point in points
    )


def _snappy(content: bytes) -> bytes:
    parts = (content[place : place + 65536] for place in range(0, len(content), 65536))
    return _varint(len(content)) + b"".join(
        b"\xf4" + struct.pack("<H", len(part) - 1) + part for part in parts
    )


@contextmanager
def remembering(directory: Path, history: History) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes nothing and remembers a history."""
    port, config = free_port(), directory / "prometheus.yml"
    config.write_text("global: {}\n")
    command = [
        *("prometheus", f"--config.file={config}", f"--storage.tsdb.path={directory / 'data'}"),
        *(f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver"),
    ]
    log = directory / "prometheus.log"
    with monitoring.process("Prometheus", command, log, port, {}, "/-/ready"):
        headers = {
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        for body in history.requests():
            url = f"http://127.0.0.1:{port}/api/v1/write"
            request = urllib.request.Request(url, _snappy(body), headers)
            with urllib.request.urlopen(request, timeout=30) as answer:
                assert answer.status == 204
        yield Prometheus(port)


class Exporter:
    """An exporter as it would answer at any time, fed with snapshots of that time."""

    def __init__(self, history: History, **target: str) -> None:
        self._history, self._target = history, {"job": "locust"} | target
        self._now = 0.0
        self.restart()

    def restart(self) -> None:
        """Begin anew, as a process that was killed."""
        self.collector = LocustCollector(lambda: self._now)
        self._pages = Exposition(self.collector, RunsCollector(self.collector.run, lambda: ()))

    def hear(self, snapshot: Snapshot) -> None:
        """Take in a snapshot at its time."""
        self._now = snapshot.time
        self.collector.update(snapshot)

    def scrape(self, at: float) -> None:
        """Be scraped."""
        self._now = at
        self._history.scrape(at, self._pages.render()[1].decode(), **self._target)

    def end(self, at: float) -> None:
        """Be found down."""
        self._history.scrape(at, "", **self._target)
