"""One reading of the exporter's metrics, and what two readings say of the time between them."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

END = b"# EOF\n"


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
    """The exporter's metrics at `time` (Unix seconds). `gauges` are the samples without labels."""

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

    @property
    def up(self) -> bool:
        """Whether the exporter hears the master."""
        return self.gauges.get("locust_up") == 1


_WORKER_FIELDS = {
    "locust_worker_users": "users",
    "locust_worker_cpu_ratio": "cpu",
    "locust_worker_memory_bytes": "memory_bytes",
    "locust_worker_clock_offset_seconds": "clock_offset_seconds",
}


def read(text: str, time: float) -> Scrape:
    """Read an exposition in the text format. Raises ValueError on anything else."""
    scrape = Scrape(time)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            _take(scrape, sample.name, sample.labels, sample.value)
    return scrape


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
    elif not labels:
        scrape.gauges[name] = value


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
