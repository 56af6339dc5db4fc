"""One reading of the exporter's metrics, and what two readings say of the time between them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

END = b"# EOF\n"
GREATEST = 1e18
"""No count, time or size of a run is beyond it; what is beyond, or no number, is left out."""


Name = tuple[str, str]
"""(method, name)."""

Buckets = Mapping[float, float]
"""Upper bound in seconds → requests up to it, cumulative."""


@dataclass(slots=True)
class Worker:
    """One worker process; `cpu` is a ratio of a core."""

    users: float = 0.0
    cpu: float = 0.0
    memory_bytes: float = 0.0
    clock_offset_seconds: float = 0.0


@dataclass(slots=True)
class Scrape:
    """The exporter's metrics as of `time`: Unix seconds, when the master took the snapshot shown.

    `gauges` are the samples without labels, `quantiles` those of each name in the whole run, in
    seconds by their ratio.
    """

    time: float
    gauges: dict[str, float] = field(default_factory=dict)
    run: dict[str, str] = field(default_factory=dict)
    state: str = ""
    workers_by_state: dict[str, int] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    requests: dict[Name, float] = field(default_factory=dict)
    failures: dict[Name, float] = field(default_factory=dict)
    errors: dict[tuple[str, str, str], float] = field(default_factory=dict)
    buckets: dict[Name, dict[float, float]] = field(default_factory=dict)
    quantiles: dict[Name, dict[str, float]] = field(default_factory=dict)

    @property
    def up(self) -> bool:
        """Whether the exporter receives the master's messages."""
        return self.gauges.get("locust_up") == 1


_WORKER_FIELDS = {
    "locust_worker_users": "users",
    "locust_worker_cpu_ratio": "cpu",
    "locust_worker_memory_bytes": "memory_bytes",
    "locust_worker_clock_offset_seconds": "clock_offset_seconds",
}


_LINE = re.compile(r"([a-zA-Z_:][\w:]*)(?:{(.*)})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
_WANTED = {
    *_WORKER_FIELDS,
    *(
        "locust_response_time_seconds_bucket",
        "locust_requests_total",
        "locust_requests_failed_total",
    ),
    *("locust_request_failures_total", "locust_workers", "locust_state", "locust_run_info"),
    "locust_run_name_response_time_seconds",
}


def read(text: str, time: float) -> Scrape:
    """Read an exposition in the text format, fetched at `time`. ValueError: it is none.

    Only what a view needs is taken apart: with 1,000 names there are tens of thousands of lines.
    """
    try:
        return _read(text, Scrape(time))
    except KeyError as error:
        raise ValueError(f"the label {error} is missing from the metrics") from error


def _read(text: str, scrape: Scrape) -> Scrape:
    for line in text.split("\n"):
        if not line or line[0] == "#":
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ValueError(f"the metrics contain a line that is not valid: {line[:80]!r}")
        name, labels, text_of_value = match.groups()
        if labels and name not in _WANTED:
            continue
        value = float(text_of_value)
        if not abs(value) < GREATEST:
            continue
        if labels:
            _take(scrape, name, _labels(labels), value)
        else:
            scrape.gauges[name] = value
    scrape.time -= scrape.gauges.get("locust_exporter_snapshot_age_seconds", 0.0)
    return scrape


def _labels(text: str) -> dict[str, str]:
    return {
        name: value if "\\" not in value else _ESCAPED.sub(_character, value)
        for name, value in _LABEL.findall(text)
    }


def _character(match: re.Match[str]) -> str:
    return "\n" if match[1] == "n" else match[1]


def _take(scrape: Scrape, name: str, labels: dict[str, str], value: float) -> None:
    key = (labels.get("method", ""), labels.get("name", ""))
    if name == "locust_response_time_seconds_bucket":
        scrape.buckets.setdefault(key, {})[float(labels["le"])] = value
    elif name == "locust_requests_total":
        scrape.requests[key] = value
    elif name == "locust_requests_failed_total":
        scrape.failures[key] = value
    elif name == "locust_request_failures_total":
        scrape.errors[(*key, labels["error"])] = value
    elif name in _WORKER_FIELDS:
        worker = scrape.workers.setdefault(labels["worker"], Worker())
        setattr(worker, _WORKER_FIELDS[name], value)
    elif name == "locust_workers":
        scrape.workers_by_state[labels["state"]] = int(value)
    elif name == "locust_state" and value == 1:
        scrape.state = labels["locust_state"]
    elif name == "locust_run_info":
        scrape.run = labels
    elif name == "locust_run_name_response_time_seconds":
        scrape.quantiles.setdefault(key, {})[labels["ratio"]] = value


def merged(buckets: Mapping[Name, Buckets]) -> dict[float, float]:
    """Add the histograms of all names."""
    total: dict[float, float] = {}
    for histogram in buckets.values():
        for edge, count in histogram.items():
            total[edge] = total.get(edge, 0.0) + count
    return total


def quantile(ratio: float, later: Buckets, earlier: Buckets) -> float | None:
    """Return a quantile in seconds of what lies between two cumulative histograms.

    As PromQL's histogram_quantile: linear within a bucket. None when nothing lies between.
    """
    edges = sorted(later)
    counts = [later[edge] - earlier.get(edge, 0.0) for edge in edges]
    if not counts or counts[-1] <= 0:
        return None
    wanted = ratio * counts[-1]
    index = next(i for i, count in enumerate(counts) if count >= wanted)
    low, below = (edges[index - 1], counts[index - 1]) if index else (0.0, 0.0)
    if edges[index] == float("inf"):
        return low
    within = counts[index] - below
    return low + (edges[index] - low) * ((wanted - below) / within if within else 1.0)
